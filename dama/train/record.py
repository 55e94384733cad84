"""What one optimizer step has to say: the metrics of DPO and of DAMA's factors."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dama.loss.dama import Decision, Method, RunningMean
from dama.train.quartiles import NAMES, Quartiles


def step_record(
    decision: Decision,
    whole: Tensor,
    method: Method,
    mean: RunningMean,
    loss: float,
    quartiles: Quartiles | None = None,
) -> dict[str, Any]:
    """Return the step's metrics over the whole optimizer batch.

    `whole` is [N, 5]: gap, log-ratio of chosen, log-ratio of rejected, α_D, cut tokens. Rewards are
    β·log-ratio with the method's plain β, so that methods can be compared; fields that a method does not
    have are None. `quartiles` are those of the dataset's α_D, where the method reads it.
    """
    gap_N, alpha_N, beta_N = whole[:, 0], whole[:, 3], decision.beta_N
    rewards_N2 = method.beta * whole[:, 1:3]
    aware = method.model_aware
    return {
        "loss": loss,
        "reward_chosen": float(rewards_N2[:, 0].mean()),
        "reward_rejected": float(rewards_N2[:, 1].mean()),
        "reward_margin": float((rewards_N2[:, 0] - rewards_N2[:, 1]).mean()),
        "accuracy": float((gap_N > 0).double().mean()),
        "kept": int(decision.kept_N.sum()),
        "kept_fraction": float(decision.kept_N.double().mean()),
        "batch": len(gap_N),
        "cut_tokens": int(whole[:, 4].sum()),
        "alpha_data_mean": float(alpha_N.mean()) if method.data_aware else None,
        "alpha_model": decision.alpha_model if aware else None,
        "running_mean": mean.value if aware else None,
        "batch_mean": decision.batch_mean if aware else None,
        "beta_model": method.beta * decision.alpha_model if aware else None,
        "beta_combined_min": float(beta_N.min()),
        "beta_combined_mean": float(beta_N.mean()),
        "beta_combined_max": float(beta_N.max()),
        **(quartiles.gaps(gap_N, alpha_N) if quartiles is not None else dict.fromkeys(NAMES)),
    }
