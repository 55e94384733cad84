"""Stage `evaluate`: how much the aligned model hallucinates."""

from __future__ import annotations

from dama.stages.base import Stage
from dama.stages.scoring import known_only, require_judges, score_answers, scoring_key, scoring_reads

_ANSWERS = "answers"

STAGE = Stage(
    name="evaluate",
    version=2,
    reads=lambda spec: scoring_reads(spec, _ANSWERS),
    key=scoring_key,
    run=lambda context: score_answers(context, _ANSWERS),
    title="score the aligned model's answers",
    wanted=lambda spec: bool(spec.evaluate.benchmarks),
    ready=require_judges,
    part=known_only,
)
