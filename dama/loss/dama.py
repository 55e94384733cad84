"""DAMA's factors: what β each preference of an optimizer batch gets (Eqs 6-16), in both readings.

    g      gap_N          difference of log-ratios, nats
    α_D    alpha_data_N   σ(δ)/σ(δ̄), made beforehand
    R_i    reward         β·g_i (paper) or g_i (release)
    R̄      running_mean   moves once an optimizer step, after it; starts at 0
    R̄_B    batch_mean     mean of R_i over the kept
    α_M    alpha_model    one number an optimizer batch
    β_C    beta_N         β·α_D·α_M, or β·((1−ρ)·α_M + ρ·α_D)

The batch is the *optimizer* batch: all ranks, all accumulation steps. The factors are constants in the
gradient.

The paper prints Eq 11 with 1/(N−K); only 1/K is a mean of K kept values, so 1/K it is.
Eq 9's division by R̄ is left out; `dama.loss.filter` says why, and R̄_B is then the mean of undivided
rewards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from dama.loss.filter import draw_near, keep_highest, keep_lowest, keep_nearest, keep_random
from dama.sigmoid import sigmoid

RELEASE_FLOOR = 1e-3
"""The release never lets β_C fall below this."""


@dataclass(frozen=True)
class Method:
    """What is computed: DPO, D2PO, MDPO and DAMA are four settings of it."""

    beta: float = 0.1
    data_aware: bool = True
    model_aware: bool = True
    keep: int = 12
    gamma: float = 0.9
    filter: Literal["none", "bottom", "top", "both", "random"] = "both"
    reading: Literal["paper", "release"] = "paper"
    rho: float | None = None
    """ρ of the weighted sum; None for the product."""


@dataclass(frozen=True)
class RunningMean:
    """R̄, the one number that training carries from step to step beside the weights."""

    value: float = 0.0

    def update(self, mean: float, gamma: float) -> RunningMean:
        """Return R̄ ← γ·R̄ + (1−γ)·mean (Eq 14)."""
        return replace(self, value=gamma * self.value + (1 - gamma) * mean)


@dataclass(frozen=True)
class Decision:
    """What one optimizer batch does."""

    kept_N: Tensor
    """bool; which preferences are learned from."""
    beta_N: Tensor
    """float64; β_C of each preference (β_D, β_M or β where the method has only one factor or none)."""
    alpha_model: float
    """α_M; 1 where the method is not model-aware."""
    batch_mean: float
    """R̄_B."""
    next_mean: RunningMean
    """R̄ after the optimizer step."""


def decide(
    gap_N: Tensor, alpha_data_N: Tensor, method: Method, mean: RunningMean, generator: torch.Generator
) -> Decision:
    """Return kept set and β_C of one optimizer batch of N preferences.

    `gap_N` and `alpha_data_N` are in the batch's order, whole, and equal on every rank; so is the
    generator's state. Gaps must be finite: an order over NaN is silent.
    """
    if not bool(torch.isfinite(gap_N).all()):
        raise ValueError("gaps must be finite")
    gap_N, alpha_data_N = gap_N.detach().double().cpu(), alpha_data_N.double().cpu()
    count = len(gap_N)
    if not method.model_aware:
        alpha_model, kept_N = 1.0, torch.ones(count, dtype=torch.bool)
        batch_mean, next_mean = float((method.beta * gap_N).mean()), mean
    elif method.reading == "paper":
        reward_N = method.beta * gap_N
        kept_N = _filtered(reward_N, method, mean.value, generator)
        batch_mean = float(reward_N[kept_N].mean())
        alpha_model = sigmoid(batch_mean) / sigmoid(mean.value)
        next_mean = mean.update(batch_mean, method.gamma)
    else:
        kept_N = _filtered(gap_N, method, mean.value, generator)
        batch_mean = float(gap_N[kept_N].mean())
        alpha_model = float(gap_N[kept_N].sigmoid().mean()) / sigmoid(mean.value)
        next_mean = mean.update(float(gap_N.mean()), method.gamma)
    beta_N = method.beta * combined_alpha(alpha_data_N, alpha_model, method)
    if method.model_aware and method.reading == "release":
        beta_N = beta_N.clamp(min=RELEASE_FLOOR)
    return Decision(kept_N, beta_N, alpha_model, batch_mean, next_mean)


def combined_alpha(alpha_data_N: Tensor, alpha_model: float, method: Method) -> Tensor:
    """Return what β is multiplied with: α_D·α_M, or their weighted sum; without α_D where it is not read."""
    data_N = alpha_data_N if method.data_aware else torch.ones_like(alpha_data_N)
    if method.rho is None:
        return data_N * alpha_model
    return (1 - method.rho) * alpha_model + method.rho * data_N


def _filtered(reward_N: Tensor, method: Method, mean: float, generator: torch.Generator) -> Tensor:
    match method.filter:
        case "none":
            return torch.ones(len(reward_N), dtype=torch.bool)
        case "bottom":
            return keep_highest(reward_N, method.keep)
        case "top":
            return keep_lowest(reward_N, method.keep)
        case "random":
            return keep_random(len(reward_N), method.keep, generator)
        case "both" if method.reading == "release":
            return draw_near(reward_N, mean, method.keep, generator)
        case "both":
            return keep_nearest(reward_N, mean, method.keep)
