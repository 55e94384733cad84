"""The usual way, which everything is measured against: how public trainers of LLaVA compute DPO.

Chosen and rejected are stacked into one batch, so image and prompt run twice; the model returns logits at
every position; they are cast to float32, log-softmaxed whole, and the answer's tokens are gathered. This is
the concatenated forward of LLaVA-RLHF's and RLAIF-V's descendants, written plainly: padding mask only, so
that attention takes its causal fast path; the image's frozen tower without gradients; no deliberate waste.
(TRL's own trainer, which has since learned to keep logits small, is measured by itself: `against_trl.py`.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from shapes import PAD
from torch import Tensor
from torch.nn.functional import logsigmoid
from torch.nn.utils.rnn import pad_sequence

from dama.model.encode import Encoded

KEPT_SHARE, FLOOR = 0.8, 1e-3
"""The released script keeps int(0.8·n) of a rank's batch, and lets no β fall below 1e-3."""


def usual_logps(llava: Any, batch: Sequence[Encoded]) -> Tensor:
    """Return logps_N2 in nats: log-probability of each chosen and rejected answer."""
    device, dtype = llava.device, llava.dtype
    order = [(one, name) for name in ("chosen", "rejected") for one in batch]
    ids_BL = pad_sequence(
        [torch.cat([one.prompt_ids_P, one.answers[name]]) for one, name in order],
        batch_first=True,
        padding_value=PAD,
    ).to(device)
    learned_BL = pad_sequence(
        [_learned(len(one.prompt_ids_P), len(one.answers[name])) for one, name in order], batch_first=True
    ).to(device)
    seen_BL = pad_sequence(
        [torch.ones(len(one.prompt_ids_P) + len(one.answers[name])) for one, name in order], batch_first=True
    ).to(device)
    logits_BLV = llava(
        input_ids=ids_BL,
        attention_mask=seen_BL.long(),
        pixel_values=torch.cat([one.images["pixel_values"] for one, _ in order]).to(device, dtype),
        use_cache=False,
    ).logits
    logps_BLV = logits_BLV[:, :-1].float().log_softmax(-1)
    tokens_BL = logps_BLV.gather(-1, ids_BL[:, 1:, None]).squeeze(-1)
    summed_B = (tokens_BL * learned_BL[:, 1:]).sum(-1)
    return torch.stack(summed_B.chunk(2), dim=1)


def _learned(prompt: int, answer: int) -> Tensor:
    return torch.cat([torch.zeros(prompt), torch.ones(answer)])


def usual_dpo(llava: Any, batch: Sequence[Encoded], reference_N2: Tensor, beta: float = 0.1) -> Tensor:
    """Run forward and backward of DPO over `batch` as one micro-batch; return its loss."""
    gap_N = _gaps(usual_logps(llava, batch), reference_N2)
    loss = -logsigmoid(beta * gap_N).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()


def released_dama(
    llava: Any,
    batch: Sequence[Encoded],
    reference_N2: Tensor,
    alpha_N: Tensor,
    micro: int,
    mean: float = 0.0,
    beta: float = 0.1,
) -> float:
    """Run forward and backward of one optimizer batch of DAMA as its authors' script does; return R̄'s next.

    The script runs four ranks of four preferences; here they come one after the other, `micro` at a time,
    which costs the same. Each draws its own mask, and a dropped preference's loss is multiplied by nothing:
    its backward runs all the same.
    """
    parts = range(0, len(batch), micro)
    gaps = []
    for first in parts:
        mine = slice(first, first + micro)
        gap_N = _gaps(usual_logps(llava, batch[mine]), reference_N2[mine])
        fixed_N = gap_N.detach().float()
        weights_N = torch.exp(-0.5 * (fixed_N - mean).square()).clamp_min(1e-30)
        kept = torch.multinomial(weights_N, max(1, int(KEPT_SHARE * len(gap_N))), replacement=False)
        mask_N = torch.zeros_like(fixed_N).index_fill(0, kept, 1.0)
        alpha_model = fixed_N[kept].sigmoid().mean() / torch.sigmoid(torch.tensor(mean))
        beta_N = (beta * alpha_N[mine].to(fixed_N) * alpha_model).clamp_min(FLOOR)
        loss = (-logsigmoid(beta_N * gap_N) * mask_N).sum() / mask_N.sum() / len(parts)
        loss.backward()  # type: ignore[no-untyped-call]
        gaps.append(fixed_N)
    return 0.9 * mean + 0.1 * float(torch.cat(gaps).mean())


def _gaps(logps_N2: Tensor, reference_N2: Tensor) -> Tensor:
    ratio_N2 = logps_N2 - reference_N2.to(logps_N2)
    return ratio_N2[:, 0] - ratio_N2[:, 1]
