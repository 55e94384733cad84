"""What DeepSpeed 0.19 keeps on a GPU between steps: weights, gradients, master weights, AdamW's moments.

    Ψ trained, Φ frozen parameters, R ranks, w bytes of a weight (dama.plan.case)

    ZeRO          weights              gradients     master weights   moments
    0  bfloat16   2(Ψ+Φ)               2Ψ            4Ψ               8Ψ
    0  float32    4(Ψ+Φ)               4Ψ            none             8Ψ
    1  2          w(Ψ+Φ)               wΨ/R          4Ψ/R             8Ψ/R
    3             w(Ψ+Φ)/R             wΨ/R          4Ψ/R             8Ψ/R

Gradients are accumulated in the weights' own precision, DeepSpeed's default; that of stages 1 and 2 lasts
from backward to step only. Stages 1 to 3 keep a float32 copy to update even of float32 weights. Offloading
moves master weights, moments and their gradients to the host, in memory whose pages are pinned; torch rounds
pinned blocks up to powers of two.
"""

from __future__ import annotations

from dataclasses import dataclass

from dama.plan.case import Case

MASTER, MOMENTS = 4, 8
"""Bytes of a trained parameter: float32 copy; AdamW's mean and variance, float32."""


@dataclass(frozen=True)
class State:
    """Bytes of one rank."""

    weights: int
    gradients: int
    optimizer: int
    """Master weights and moments."""
    host: int
    """On the host, by offloading."""


def state(case: Case) -> State:
    """Return what one rank keeps; shares are rounded up, as DeepSpeed pads them."""
    trained, w = case.trained, case.weight
    if case.stage == 0:
        master = MASTER if w < MASTER else 0
        return State(w * case.parameters, w * trained, (master + MOMENTS) * trained, 0)
    share = -(-trained // case.ranks)
    weights = w * case.parameters
    if case.stage == 3:
        weights = w * -(-case.parameters // case.ranks)
    if not case.offload:
        return State(weights, w * share, (MASTER + MOMENTS) * share, 0)
    pinned = _rounded(MASTER * share) * 2  # master weights and their gradients
    low = _rounded(w * share)  # stage 3: gradients as they come; 1 and 2: new weights on their way back
    on_device = w * share if case.stage < 3 else 0
    return State(weights, on_device, 0, MOMENTS * share + pinned + low)


def _rounded(size: int) -> int:
    """Return the power of two that a pinned block of `size` bytes takes."""
    return 1 << max(0, size - 1).bit_length()
