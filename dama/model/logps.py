"""The forward of preference optimisation: rows in, summed log-probability of every answer out.

Names of shapes: B rows, L tokens, D width, T predicted tokens, V vocabulary, N preferences, K answers of
each.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from dama.model.rows import Rows

_LOGITS_BYTES = 256 * 2**20
"""Float32 logits that exist at one time; beyond it the head runs in chunks, computed again backward."""


class AnswerLogps(nn.Module):
    """Wraps a LLaVA so that its forward, the one DeepSpeed sees, returns log-probabilities.

    The vision tower is frozen, as in LLaVA-1.5; the head runs on answer positions only; log-softmax and the
    sum over tokens are in float32, because bf16 near 150 nats has steps of one nat.
    """

    def __init__(self, llava: Any, *, gradient_checkpointing: bool = False) -> None:  # noqa: ANN401 - transformers
        super().__init__()
        self.llava = llava
        self.config = llava.config
        for name, parameter in llava.named_parameters():
            parameter.requires_grad_("vision_tower" not in name)
        if gradient_checkpointing:
            llava.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})

    def forward(self, rows: Rows) -> Tensor:
        """Return logps_NK in nats, float32."""
        hidden_BLD = self.llava.model(
            input_ids=rows.ids_BL,
            pixel_values=rows.pixels_ICHW.to(self.llava.dtype),
            attention_mask=rows.mask_B1LL(),
            position_ids=rows.positions_BL,
            use_cache=False,
        ).last_hidden_state
        hidden_TD = hidden_BLD.flatten(0, 1)[rows.predict_at_T]
        logps_T = token_logps(self.llava.lm_head, hidden_TD, rows.targets_T)
        n, k = rows.shape
        summed = torch.zeros(n * k, dtype=torch.float32, device=logps_T.device)
        return summed.index_add(0, rows.owners_T, logps_T).view(n, k)


def token_logps(head: nn.Module, hidden_TD: Tensor, targets_T: Tensor, budget: int = _LOGITS_BYTES) -> Tensor:
    """Return each target token's log-probability, float32, holding at most `budget` bytes of logits."""
    vocabulary = int(getattr(head, "out_features"))  # noqa: B009 - nn.Module hides its type
    chunk = max(1, budget // (4 * vocabulary))
    if len(targets_T) <= chunk:
        return _chunk_logps(head, hidden_TD, targets_T)
    pieces = [
        checkpoint(_chunk_logps, head, hidden, targets, use_reentrant=False)
        for hidden, targets in zip(torch.split(hidden_TD, chunk), torch.split(targets_T, chunk), strict=True)
    ]
    return torch.cat(pieces)


def _chunk_logps(head: nn.Module, hidden_TD: Tensor, targets_T: Tensor) -> Tensor:
    logits_TV: Tensor = head(hidden_TD).float()
    picked = logits_TV.gather(-1, targets_T[:, None]).squeeze(-1)
    return picked - logits_TV.logsumexp(-1)
