"""Stage `baseline`: how much the model hallucinates before it is aligned."""

from __future__ import annotations

from dama.stages.scoring import scoring_stage

STAGE = scoring_stage("baseline", answers="baseline-answers", title="score the starting model's answers")
