"""The forward of preference optimisation: rows in, summed log-probability of every answer out.

Names of shapes: B rows, L tokens, D width, T predicted tokens, V vocabulary, N preferences, K answers of
each.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from dama.model.answers_only import READ_AT, run_last_layer_on_answers_only
from dama.model.attention import block_mask, dense_mask_B1LL
from dama.model.layout import Layout
from dama.model.logits import LOGITS_BYTES
from dama.model.rows import PADDING, Rows

_VISION = ("vision_tower", "vision_model", "visual")
"""What families call their vision encoder."""


class AnswerLogps(nn.Module):
    """Wraps a vision-language model so that its forward, the one DeepSpeed sees, returns log-probabilities.

    The vision tower is frozen, as in LLaVA-1.5; head and last layer run on answer positions only; log-softmax
    and the sum over tokens are in float32, because bf16 near 150 nats has steps of one nat.
    """

    def __init__(
        self,
        llava: Any,  # noqa: ANN401 - a transformers model
        layout: Layout = Layout(),  # noqa: B008 - frozen
        *,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.llava = llava
        self.config = llava.config
        self.layout = layout
        if layout.attention == "flex":
            llava.set_attn_implementation({"text_config": "flex_attention"})
        for name, parameter in llava.named_parameters():
            if any(part in _VISION for part in name.split(".")):
                parameter.requires_grad_(False)
        if layout.shared:
            run_last_layer_on_answers_only(llava.model.language_model.layers[-1])
        self.recompute(gradient_checkpointing)

    def recompute(self, on: bool) -> None:
        """Choose whether the backward computes activations again (gradient checkpointing)."""
        if on:
            self.llava.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        elif self.llava.is_gradient_checkpointing:
            self.llava.gradient_checkpointing_disable()

    def forward(self, rows: Rows) -> Tensor:
        """Return logps_NK in nats, float32."""
        hidden_BLD = self.llava.model(
            input_ids=rows.ids_BL,
            **{
                name: value.to(self.llava.dtype) if value.is_floating_point() else value
                for name, value in rows.images.items()
            },
            **self._attention(rows),
            use_cache=False,
        ).last_hidden_state
        hidden_TD = hidden_BLD.flatten(0, 1)[rows.predict_at_T]
        logps_T = token_logps(self.llava.get_output_embeddings(), hidden_TD, rows.targets_T)
        n, k = rows.shape
        summed = torch.zeros(n * k, dtype=torch.float32, device=logps_T.device)
        return summed.index_add(0, rows.owners_T, logps_T).view(n, k)

    def _attention(self, rows: Rows) -> dict[str, Any]:
        """Return what says who sees whom: our mask and positions, or what the model makes its own mask of."""
        if not self.layout.shared:
            return {"attention_mask": (rows.documents_BL != PADDING).long(), **rows.per_token}
        mask = block_mask(rows) if self.layout.attention == "flex" else dense_mask_B1LL(rows)
        return {"attention_mask": mask, "position_ids": rows.positions_BL, READ_AT: rows.read_at_U}


def token_logps(head: nn.Module, hidden_TD: Tensor, targets_T: Tensor, budget: int = LOGITS_BYTES) -> Tensor:
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
    return -F.cross_entropy(head(hidden_TD).float(), targets_T, reduction="none")
