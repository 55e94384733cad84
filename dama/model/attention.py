"""Who sees whom, as the two attention implementations want it: a dense mask, or a rule over blocks.

A token sees itself and earlier tokens of its own preference: those of the prompt, and those of its own
answer. Padding is a document of its own, so that no softmax is empty.

Names of shapes: B rows, L tokens of the longest row.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dama.model.rows import PROMPT, Rows


def dense_mask_B1LL(rows: Rows) -> Tensor:
    """Return the mask for scaled dot-product attention: bool, row sees column; any device."""
    length = rows.ids_BL.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=rows.ids_BL.device).tril()
    documents, segments = rows.documents_BL, rows.segments_BL
    together = documents[:, :, None] == documents[:, None, :]
    same = segments[:, :, None] == segments[:, None, :]
    to_prompt = (segments == PROMPT)[:, None, :]
    return (together & (same | to_prompt) & causal)[:, None]


def block_mask(rows: Rows) -> Any:  # noqa: ANN401 - torch's BlockMask
    """Return the same rule for FlexAttention, which skips blocks where nobody sees anybody."""
    from torch.nn.attention.flex_attention import create_block_mask

    documents, segments = rows.documents_BL, rows.segments_BL

    def sees(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        together = documents[row, query] == documents[row, key]
        same = segments[row, query] == segments[row, key]
        return together & (same | (segments[row, key] == PROMPT)) & (key <= query)

    count, length = rows.ids_BL.shape
    return create_block_mask(sees, count, None, length, length, device=str(rows.ids_BL.device))
