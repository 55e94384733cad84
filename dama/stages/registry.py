"""The stages of a run, in order; the miniature world's own stage is put in front by the command line."""

from __future__ import annotations

from dama.stages import (
    alpha,
    answers,
    baseline,
    baseline_answers,
    data,
    evaluate,
    facts,
    reference,
    report,
    scores,
    train,
)
from dama.stages.base import Stage

STAGES: tuple[Stage, ...] = (
    data.STAGE,
    facts.STAGE,
    scores.STAGE,
    alpha.STAGE,
    baseline_answers.STAGE,
    baseline.STAGE,
    reference.STAGE,
    train.STAGE,
    answers.STAGE,
    evaluate.STAGE,
    report.STAGE,
)
