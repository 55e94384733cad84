"""The stages of a run, in order; the miniature world's own stage is put in front by the command line."""

from __future__ import annotations

from dama.stages import alpha, baseline, data, evaluate, facts, reference, report, scores, train
from dama.stages.base import Stage

STAGES: tuple[Stage, ...] = (
    data.STAGE,
    facts.STAGE,
    scores.STAGE,
    alpha.STAGE,
    baseline.STAGE,
    reference.STAGE,
    train.STAGE,
    evaluate.STAGE,
    report.STAGE,
)
