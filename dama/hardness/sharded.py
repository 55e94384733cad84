"""Facts and scores that lie in shards, read in the dataset's order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dama.errors import HardnessError
from dama.hardness.pairing import with_scores
from dama.records import Facts, PairScore
from dama.storage.layout import shard_name


class ShardedScores:
    """The facts and scores of a dataset's preferences, as often as they are wanted.

    A shard is opened when the walk through the dataset first comes to it and forgotten behind its last
    preference. Where images lie together, as in most datasets, one or two are open at a time; where they
    are strewn about, all are: packed, some 700 bytes a preference, and without an open file.
    """

    def __init__(
        self, ids: Sequence[str], shards: Sequence[Sequence[int]], facts: Path, scores: Path
    ) -> None:
        """Read the artifacts in the folders `facts` and `scores` of preferences called `ids`, cut so."""
        self._ids, self._shards = ids, shards
        self._folders = [(facts / shard_name(n), scores / shard_name(n)) for n in range(len(shards))]

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[tuple[Facts, PairScore]]:
        """Yield facts beside their scores; HardnessError when the shards are not those of the dataset."""
        shard_of = [0] * len(self)
        for number, indices in enumerate(self._shards):
            for index in indices:
                shard_of[index] = number
        rows: dict[int, Iterator[tuple[Facts, PairScore]]] = {}
        left = [len(indices) for indices in self._shards]
        for wanted, number in zip(self._ids, shard_of, strict=True):
            if number not in rows:
                rows[number] = with_scores(*self._folders[number])
            found = next(rows[number], None)
            if found is None or found[0].id != wanted:
                raise _apart(wanted, found[0] if found else None, number)
            yield found
            left[number] -= 1
            if not left[number] and (more := next(rows.pop(number), None)) is not None:
                raise _apart(None, more[0], number)


def _apart(wanted: str | None, found: Facts | None, shard: int) -> HardnessError:
    return HardnessError(
        f"shard {shard} of facts and scores holds {found.id if found else 'nothing'} "
        f"where the dataset has {wanted or 'nothing'}",
        wanted="the same preferences in the same order",
        do="delete the artifacts of stages facts and scores and run them again",
    )
