"""Stage `evaluate`: how much the aligned model hallucinates."""

from __future__ import annotations

from dama.stages.scoring import scoring_stage

STAGE = scoring_stage("evaluate", answers="answers", title="score the aligned model's answers")
