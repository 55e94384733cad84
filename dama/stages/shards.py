"""Work in shards: each an artifact below the stage's own, made by whichever process it falls to.

    <artifact>/shards/00003/facts.parquet, commit.json   one shard, whole or absent
    <artifact>/shards/00003/made.json                    what it took
    <artifact>/commit.json                               names all shards' parts; written when all are there

Processes share nothing but the store. Each makes the missing shards of its share, then looks whether all are
there; the one that commits its last shard last finds them all and writes the artifact's commit. Two that find
them all write the same bytes. A killed process leaves at most one shard uncommitted, which is made again.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dama.errors import ObjectMissing
from dama.stages.made import read_made, write_made
from dama.stages.progress import Advance, progress
from dama.stages.share import Share
from dama.storage.base import Store
from dama.storage.commit import (
    COMMIT,
    Commit,
    fetch_artifact,
    in_parallel,
    read_commit,
    write_artifact,
    write_commit,
)
from dama.storage.layout import shard_name, shard_prefix

if TYPE_CHECKING:
    from dama.stages.base import StageContext


class Work(Protocol):
    """The work of one stage, begun once a process; engines are opened by the first `make`."""

    title: str
    """What is counted, for the progress line: "preferences split"; its first word names the pace."""
    sizes: Sequence[int]
    """How many of them each shard holds; the number of sizes is the number of shards."""

    def make(self, shard: int, out: Path, advance: Callable[[int], None]) -> Mapping[str, Any]:
        """Fill the empty folder `out` with a shard; return its commit's meta.

        Bytes and meta depend on the shard's own share of the inputs only, not on what this process made
        before. `advance` is told of items done.
        """
        ...

    def total(self, metas: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return the meta of the artifact from those of all its shards, in order."""
        ...


@dataclass(frozen=True)
class InShards:
    """What a stage runs whose work falls into shards."""

    begin: Callable[[StageContext], Work]
    """Look at the inputs and say what the shards are."""


@dataclass(frozen=True)
class Made:
    """How a process's share of the work ended."""

    commit: Commit | None
    """The artifact's, None while shards are missing."""
    missing: tuple[int, ...]
    """Shards that others still make."""
    count: int
    """Shards of the artifact."""

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.missing[:8]))
        more = f" and {len(self.missing) - 8} more" if len(self.missing) > 8 else ""
        one = len(self.missing) == 1
        return (
            f"shard{'' if one else 's'} {shown}{more} of {self.count} "
            f"{'is' if one else 'are'} left to other processes"
        )


def make_shards(context: StageContext, work: Work, share: Share) -> Made:
    """Make what is missing of `share`, then the artifact's commit if no shard is missing any more."""
    store, prefix = context.store, context.planned.prefix
    count = len(work.sizes)
    there = committed(store, prefix)
    mine = [shard for shard in share.shards(count) if shard not in there]
    with progress(work.title, sum(work.sizes[shard] for shard in mine)) as advance:
        pace = _Pace(advance, len(mine))
        for shard in mine:
            _make(context, work, shard, pace)
    there = committed(store, prefix)
    missing = tuple(shard for shard in range(count) if shard not in there)
    if missing:
        return Made(None, missing, count)
    return Made(_sum_up(context, work), (), count)


def committed(store: Store, prefix: str) -> set[int]:
    """Return the shards of the artifact under `prefix` that are committed."""
    folder = f"{prefix}/{shard_name()}/"
    steps = (key.removeprefix(folder).split("/") for key in store.keys(folder))
    return {int(step[0]) for step in steps if step[1:] == [COMMIT] and step[0].isdecimal()}


def fetch_shard(store: Store, prefix: str, shard: int, scratch: Path) -> Path | None:
    """Return a local folder with one shard's verified parts, None when it is not committed (yet)."""
    place = shard_prefix(prefix, shard)
    commit = read_commit(store, place)
    return None if commit is None else fetch_artifact(store, place, commit, scratch)


class _Pace:
    """Tells progress of items and shards done, and of the pace."""

    def __init__(self, advance: Advance, shards: int) -> None:
        self._advance, self._shards, self._done, self._items = advance, shards, 0, 0
        self._started = time.monotonic()

    def items(self, count: int) -> None:
        self._items += count
        seconds = max(time.monotonic() - self._started, 1e-9)
        self._advance(count, f"{self._done} of {self._shards} shards, {self._items / seconds:,.1f}/s")

    def shard(self) -> None:
        self._done += 1


def _make(context: StageContext, work: Work, shard: int, pace: _Pace) -> None:
    """Make and commit one shard, unless somebody else did in the meantime."""
    store, place = context.store, shard_prefix(context.planned.prefix, shard)
    if store.size(f"{place}/{COMMIT}") is not None:
        pace.items(work.sizes[shard])
        pace.shard()
        return
    out = context.scratch / f"shard-{shard:05d}"
    out.mkdir()
    started = time.monotonic()
    meta = work.make(shard, out, pace.items)
    seconds = time.monotonic() - started
    # Another process may have made it meanwhile; where its engine rounds otherwise, its bytes are to stand.
    if store.size(f"{place}/{COMMIT}") is None:
        items = work.sizes[shard]
        made = {"run": context.spec.name, "seconds": round(seconds, 3), "items": items, **context.notes}
        write_made(store, place, {**made, "items_per_second": round(items / max(seconds, 1e-9), 2)})
        write_artifact(store, place, out, meta)
    shutil.rmtree(out)
    pace.shard()


def _sum_up(context: StageContext, work: Work) -> Commit:
    """Write the commit that names every shard's parts, and what they took together."""
    store, prefix, count = context.store, context.planned.prefix, len(work.sizes)
    commits: dict[int, Commit] = {}
    made: dict[int, dict[str, Any]] = {}

    def read(shard: int) -> None:
        place = shard_prefix(prefix, shard)
        commit = read_commit(store, place)
        if commit is None:
            raise ObjectMissing(f"{store.uri}/{place} was there a moment ago and is gone", do="run it again")
        commits[shard], made[shard] = commit, read_made(store, place)

    in_parallel(read, range(count))
    parts = {
        f"{shard_name(shard)}/{name}": part
        for shard in range(count)
        for name, part in commits[shard].parts.items()
    }
    seconds = sum(float(one.get("seconds", 0.0)) for one in made.values())
    items = sum(work.sizes)
    record = {
        "stage": context.planned.stage.name,
        "run": context.spec.name,
        "shards": count,
        "seconds": round(seconds, 3),
        f"{work.title.split()[0]}_per_second": round(items / max(seconds, 1e-9), 2),
    }
    write_made(store, prefix, record)
    meta = work.total([commits[shard].meta for shard in range(count)])
    return write_commit(store, prefix, Commit(parts, {**meta, "shards": count}))
