"""Our way without a trainer around it: the same model, rows and losses that the engine calls.

For what the engine cannot be timed on: forward and backward alone, and one GPU too small for the engine's
optimizer state.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from shapes import PAD
from torch import Tensor

from dama.loss.dama import Method, RunningMean, decide
from dama.loss.dpo import dpo_loss, gap
from dama.model.encode import Encoded
from dama.model.logps import AnswerLogps
from dama.model.rows import shared_rows


def shared_dpo(
    model: AnswerLogps, batch: Sequence[Encoded], reference_N2: Tensor, beta: float = 0.1
) -> Tensor:
    """Run forward and backward of DPO over `batch` as one micro-batch; return its loss."""
    loss = dpo_loss(_gaps(model, batch, reference_N2), beta).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()


def shared_dama(
    model: AnswerLogps,
    batch: Sequence[Encoded],
    reference_N2: Tensor,
    alpha_N: Tensor,
    micro: int,
    method: Method,
    mean: RunningMean,
) -> RunningMean:
    """Run one optimizer batch of DAMA in two passes; return R̄'s next.

    All gaps without gradients, then forward and backward of the kept, `micro` at a time.
    """
    with torch.no_grad():
        gaps = [
            _gaps(model, batch[first : first + micro], reference_N2[first : first + micro])
            for first in range(0, len(batch), micro)
        ]
    decision = decide(torch.cat(gaps), alpha_N, method, mean, torch.Generator().manual_seed(0))
    kept = decision.kept_N.nonzero().flatten().tolist()
    for first in range(0, len(kept), micro):
        places = kept[first : first + micro]
        gap_N = _gaps(model, [batch[place] for place in places], reference_N2[places])
        loss = dpo_loss(gap_N, decision.beta_N[places].to(gap_N)).sum() / len(kept)
        loss.backward()  # type: ignore[no-untyped-call]
    return decision.next_mean


def _gaps(model: AnswerLogps, batch: Sequence[Encoded], reference_N2: Tensor) -> Tensor:
    rows = shared_rows(batch, PAD, model.layout.row_tokens)
    logps_N2 = model(rows.to(model.llava.device))
    reference_N2 = reference_N2.to(logps_N2)
    return gap(logps_N2[:, 0], logps_N2[:, 1], reference_N2[:, 0], reference_N2[:, 1])
