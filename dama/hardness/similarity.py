"""Who scores facts against images, whatever it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from dama.records import Facts, PairScore, Preference

if TYPE_CHECKING:
    from PIL import Image


class Images(Protocol):
    """Decoded images by the sha256 of their encoded bytes (`dama.data.table.ImageTable` is one)."""

    def open(self, sha256: str) -> Image.Image:
        """Return an image as RGB."""
        ...


class Scorer(Protocol):
    """Turns facts and images into scores, in order, holding no more than a chunk of them."""

    def score(self, items: Iterable[tuple[Preference, Facts]], images: Images) -> Iterator[PairScore]:
        """Yield C_w and C_l of every preference (Eq 3), in the order given: one scaled logit a fact."""
        ...
