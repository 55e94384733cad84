"""Micro-batches of items through the model: rows, device, log-probabilities, gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from dama.loss.dpo import gap
from dama.model.layout import Layout
from dama.model.rows import concatenated_rows, shared_rows
from dama.train.dataset import Item

T = TypeVar("T")


def micro_batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield `items` in slices of at most `size`."""
    for first in range(0, len(items), size):
        yield items[first : first + size]


class Forward:
    """Runs items through a model (or the engine around it) and returns log-probabilities on its device."""

    def __init__(self, pad_id: int, device: torch.device, layout: Layout = Layout()) -> None:  # noqa: B008 - frozen
        self.layout = layout
        self._pad_id, self.device = pad_id, device

    def logps(self, model: Any, items: Sequence[Item]) -> Tensor:  # noqa: ANN401 - module or DeepSpeed engine
        """Return logps_N2 (chosen, rejected) in nats, float32."""
        batch = [item.encoded for item in items]
        if self.layout.shared:
            rows = shared_rows(batch, self._pad_id, self.layout.row_tokens)
        else:
            rows = concatenated_rows(batch, self._pad_id)
        logps_N2: Tensor = model(rows.to(self.device))
        return logps_N2

    def gaps(self, logps_N2: Tensor, items: Sequence[Item]) -> Tensor:
        """Return g of each item against its reference log-probabilities."""
        pairs = [
            (item.reference.chosen, item.reference.rejected) for item in items if item.reference is not None
        ]
        reference_N2 = torch.tensor(pairs, dtype=torch.float32, device=logps_N2.device)
        return gap(logps_N2[:, 0], logps_N2[:, 1], reference_N2[:, 0], reference_N2[:, 1])
