"""What training reads of one preference: its tensors, its reference log-probabilities, its α_D."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from torch.utils.data import Dataset

from dama.data.table import PreferenceTable
from dama.errors import DataError
from dama.model.encode import Encoded, Encoder
from dama.records import ReferenceLogps

_CACHE_BYTES = 256 * 2**20
"""Tensors kept between epochs, a rank: a small dataset whole, some hundred images of a large one."""


@dataclass(frozen=True)
class Item:
    """One preference of an optimizer batch."""

    encoded: Encoded
    reference: ReferenceLogps | None
    """None while the reference log-probabilities are being computed."""
    alpha_data: float
    """α_D; 1 where the method does not read it."""


class Preferences(Dataset[Item]):
    """The preference table with what belongs to each row; every rank can read every row."""

    def __init__(
        self,
        table: PreferenceTable,
        encoder: Encoder,
        *,
        reference: Mapping[str, ReferenceLogps] | None = None,
        alpha_data: Mapping[str, float] | None = None,
        without: Set[str] = frozenset(),
    ) -> None:
        """`without` are the ids of quarantined preferences, which are left out."""
        self._table, self._images, self._encoder = table, table.images(), encoder
        self._reference, self._alpha_data = reference, alpha_data
        self._cache: dict[int, Encoded] = {}
        self._room = _CACHE_BYTES
        every = table.ids()
        if reference is not None:
            _fits("reference log-probabilities", {*reference, *without}, every)
        if alpha_data is not None:
            _fits("alpha_data", alpha_data.keys(), every)
            _finite(alpha_data)
        self._rows = [row for row, id in enumerate(every) if id not in without]
        self._ids = [every[row] for row in self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Item:
        encoded = self._encoded(index)
        return Item(
            encoded,
            self._reference[encoded.id] if self._reference is not None else None,
            self._alpha_data[encoded.id] if self._alpha_data is not None else 1.0,
        )

    def id(self, index: int) -> str:
        """Return the id of a preference without reading the rest of it."""
        return self._ids[index]

    def alphas(self) -> list[float] | None:
        """Return every preference's α_D, None where the method does not read it."""
        return None if self._alpha_data is None else [self._alpha_data[id] for id in self._ids]

    def _encoded(self, index: int) -> Encoded:
        if index in self._cache:
            return self._cache[index]
        preference = self._table[self._rows[index]]
        encoded = self._encoder.encode(
            preference.id,
            preference.prompt,
            {"chosen": preference.chosen, "rejected": preference.rejected},
            self._images.open(preference.image),
        )
        size = sum(tensor.nbytes for tensor in encoded.images.values())
        if size <= self._room:
            self._room -= size
            self._cache[index] = encoded
        return encoded


def _fits(what: str, known: Set[str], table: Iterable[str]) -> None:
    """Raise DataError unless an artifact speaks of exactly the preferences of the table."""
    wanted = set(table)
    for ids, verb in ((wanted - known, "are missing"), (known - wanted, "belong to no preference")):
        if ids:
            raise DataError(
                f"{what} of {len(ids)} preferences {verb} (first: {min(ids)})",
                wanted="an artifact made from this very dataset",
                do="run the stage that makes it again",
            )


def _finite(alpha_data: Mapping[str, float]) -> None:
    """Raise DataError for α_D that are no numbers: they would poison weights, not gaps."""
    if bad := sorted(id for id, value in alpha_data.items() if not math.isfinite(value)):
        raise DataError(
            f"alpha_data of {len(bad)} preferences is not finite (first: {bad[0]})",
            do="look at their scores, then run stage alpha again",
        )
