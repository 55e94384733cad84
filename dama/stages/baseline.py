"""Stage `baseline`: how much the model hallucinates before it is aligned."""

from __future__ import annotations

from dama.stages.base import Stage
from dama.stages.scoring import known_only, require_judges, score_answers, scoring_key, scoring_reads

_ANSWERS = "baseline-answers"

STAGE = Stage(
    name="baseline",
    version=2,
    reads=lambda spec: scoring_reads(spec, _ANSWERS),
    key=scoring_key,
    run=lambda context: score_answers(context, _ANSWERS),
    title="score the starting model's answers",
    wanted=lambda spec: bool(spec.evaluate.benchmarks),
    ready=require_judges,
    part=known_only,
)
