"""Which quarter of the dataset a preference's hardness puts it in, and the mean gap of each quarter.

α_D grows with δ, so quarters by α_D are quarters by hardness: the first holds what is hardest to tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

NAMES = ("gap_hardest_quarter", "gap_hard_quarter", "gap_easy_quarter", "gap_easiest_quarter")


@dataclass(frozen=True)
class Quartiles:
    """The borders between the quarters of a dataset's α_D."""

    borders_3: Tensor
    """float64, ascending."""

    @classmethod
    def of(cls, alpha_data: Sequence[float]) -> Quartiles:
        """Return the borders over a whole dataset."""
        quarters = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
        return cls(torch.quantile(torch.tensor(alpha_data, dtype=torch.float64), quarters))

    def gaps(self, gap_N: Tensor, alpha_N: Tensor) -> dict[str, float | None]:
        """Return the mean gap (nats) of a batch's preferences in each quarter, None where none lies in it.

        What lies on a border belongs to the harder side.
        """
        quarter_N = torch.bucketize(alpha_N.double().contiguous(), self.borders_3)
        return {
            name: float(gap_N[quarter_N == number].mean()) if bool((quarter_N == number).any()) else None
            for number, name in enumerate(NAMES)
        }
