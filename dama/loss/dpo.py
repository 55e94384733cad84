"""Direct preference optimisation (DAMA paper, Eqs 1-2).

    g     gap            [N]   difference of log-ratios, in nats
    β     beta           [N]   or one number
    loss                 [N]   −log σ(β·g)

Everything is float32 or wider; nothing here knows of ranks, devices or run files.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def gap(
    policy_chosen: Tensor, policy_rejected: Tensor, reference_chosen: Tensor, reference_rejected: Tensor
) -> Tensor:
    """Return g = [log π(y_w) − log π_ref(y_w)] − [log π(y_l) − log π_ref(y_l)], all [N] and summed."""
    return (policy_chosen - reference_chosen) - (policy_rejected - reference_rejected)


def dpo_loss(gap_N: Tensor, beta: Tensor | float) -> Tensor:
    """Return −log σ(β·g) for each preference (Eqs 1-2; Eq 16 with β = β_C)."""
    return -F.logsigmoid(beta * gap_N)
