"""Which preferences of an optimizer batch are kept (Eqs 9-10) and the controls beside it.

    R_i   reward   [N]   β·g_i (paper) or g_i (release)
    R̄     mean           running mean of rewards
    K     keep

Eq 9 divides every R_i by R̄ before Eq 10 ranks them by (R̄_i − R̄)². At the start R̄ is 0, and after batches
of near-zero gaps it is 1e-7: taken literally the quotient throws the running mean from nothing to hundreds,
α_M then sticks near 0.5, and R̄ can stay negative for good. The division is there to bring R_i and R̄ to one
scale, and both are on one scale already: ranking by ((R_i − R̄)/R̄)² keeps the same set for every R̄ ≠ 0,
because a common factor does not change an order. So R_i is ranked undivided, and nothing is ever divided by
R̄.

Ties go to the earlier preference, so that every layout keeps the same set.
"""

from __future__ import annotations

import torch
from torch import Tensor


def keep_nearest(reward_N: Tensor, mean: float, keep: int) -> Tensor:
    """Return the mask of the K rewards nearest to the running mean (Eq 10)."""
    return _smallest((reward_N - mean).square(), keep)


def keep_highest(reward_N: Tensor, keep: int) -> Tensor:
    """Return the mask that drops the lowest N − K rewards (ablation `bottom`)."""
    return _smallest(-reward_N, keep)


def keep_lowest(reward_N: Tensor, keep: int) -> Tensor:
    """Return the mask that drops the highest N − K rewards (ablation `top`)."""
    return _smallest(reward_N, keep)


def keep_random(count: int, keep: int, generator: torch.Generator) -> Tensor:
    """Return the mask of K preferences drawn evenly: tells the filter's merit from a smaller batch's."""
    return _smallest(torch.rand(count, generator=generator, dtype=torch.float64), keep)


def draw_near(reward_N: Tensor, mean: float, keep: int, generator: torch.Generator) -> Tensor:
    """Return the mask of K drawn without replacement with weights exp(−½(R_i − R̄)²) (release reading).

    Drawn as the K largest of log-weight + Gumbel noise, which is the same distribution and stays exact where
    the weights themselves underflow (beyond 14 nats in float32).
    """
    log_weight = -0.5 * (reward_N.double() - mean).square()
    uniform = torch.rand(len(reward_N), generator=generator, dtype=torch.float64)
    gumbel = -torch.log(-torch.log(uniform.clamp(min=torch.finfo(torch.float64).tiny)))
    return _smallest(-(log_weight + gumbel), keep)


def _smallest(value_N: Tensor, keep: int) -> Tensor:
    order = torch.argsort(value_N, stable=True)
    mask = torch.zeros(len(value_N), dtype=torch.bool, device=value_N.device)
    mask[order[:keep]] = True
    return mask
