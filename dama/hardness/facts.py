"""Who splits responses into facts, whatever it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from dama.records import Facts, Preference


class Splitter(Protocol):
    """Turns preferences into facts, in order, holding no more of them than it needs at a time."""

    def split(self, items: Iterable[Preference]) -> Iterator[Facts]:
        """Yield the facts of every preference, in the order given; at least one fact an answer."""
        ...
