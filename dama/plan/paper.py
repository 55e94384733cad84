"""The paper's own run beside ours: what its way costs more, and what speed its seven hours come to.

usual way   chosen and rejected in rows of their own: image and prompt twice, the head on every token;
            gradient checkpointing; backward through all N. 4 · 2 · text(P + A) + 2 · tower a preference
paper       22,000 preferences, 4 epochs, 7 hours on 4 A100 of 80 GB
"""

from __future__ import annotations

from dataclasses import dataclass

from dama.model.flops import projector_flops, text_flops, tower_flops, unread_flops
from dama.model.passes import Passes
from dama.plan.case import PAPER_PREFERENCES, Case
from dama.plan.device import GPUS
from dama.plan.time import forward_run, learned_run

HOURS, EPOCHS, RANKS = 7.0, 4, 4


@dataclass(frozen=True)
class Paper:
    """The paper's run of LLaVA-1.5-7B, in our terms."""

    operations: float
    """Of the usual way, as a multiple of ours."""
    efficiency: float
    """Share of its GPUs' peak that seven hours come to, the usual way."""


def beside(case: Case, way: Passes) -> Paper:
    """Return how the paper's run compares with a run of ours that goes `way`."""
    usual = usual_run(case)
    kept = -(-case.kept // case.ranks) * case.ranks
    learned = learned_run(case, recompute=way.recompute)
    ours = case.batch * forward_run(case) + kept * learned if way.two else case.batch * learned
    done = PAPER_PREFERENCES * EPOCHS * usual
    peak = RANKS * GPUS["a100-80"].flops * HOURS * 3600
    return Paper(case.batch * usual / ours, done / peak)


def usual_run(case: Case) -> float:
    """Return the operations of one preference the usual way."""
    shape, answers = case.shape, [case.answer]
    # the head on the prompt's tokens, too, and all of the last layer
    everywhere = 2.0 * shape.text.embedding * case.prompt + unread_flops(shape, case.prompt, answers)
    text = text_flops(shape, case.prompt, answers) + projector_flops(shape) + everywhere
    return 2 * (tower_flops(shape, shape.tower.layers) + 4 * text)
