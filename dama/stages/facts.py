"""Stage `facts`: both answers of every preference, split into facts, shard by shard."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dama.errors import HardnessError
from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext
from dama.stages.inputs import texts_only
from dama.stages.progress import counted
from dama.stages.shards import InShards
from dama.stages.splitters import WORLD, asks_world, facts_key, open_splitter, require_splitter

if TYPE_CHECKING:
    from dama.hardness.facts import Splitter

log = logging.getLogger(__name__)


def _reads(spec: RunSpec) -> tuple[str, ...]:
    return (WORLD, "data") if asks_world(spec) and spec.world is not None else ("data",)


class Splitting:
    """The facts of each shard's preferences; the splitter is opened for the first shard that is made."""

    title = "preferences split"

    def __init__(
        self, context: StageContext, opened: Callable[[StageContext], Splitter] = open_splitter
    ) -> None:
        from dama.data.table import PreferenceTable

        self._context, self._open = context, opened
        self._preferences = PreferenceTable(context.inputs["data"])
        self._shards = self._preferences.shards()
        self.sizes: Sequence[int] = [len(shard) for shard in self._shards]
        self._splitter: Splitter | None = None

    def make(self, shard: int, out: Path, advance: Callable[[int], None]) -> dict[str, Any]:
        """Write `facts.parquet`; return counts of preferences, facts and flags."""
        from collections import Counter

        from dama.hardness.cache import read_facts, write_facts

        if self._splitter is None:
            self._splitter = self._open(self._context)
        preferences = self._preferences.take(self._shards[shard])
        written = write_facts(out, counted(self._splitter.split(preferences), advance))
        if written != len(preferences):
            raise HardnessError(f"{len(preferences)} preferences came in, facts of {written} went out")
        flags: Counter[str] = Counter()
        chosen = rejected = 0
        for facts in read_facts(out):
            flags.update(facts.flags)
            chosen, rejected = chosen + len(facts.chosen), rejected + len(facts.rejected)
        counts = {"preferences": written, "chosen_facts": chosen, "rejected_facts": rejected}
        return {**counts, "flags": dict(sorted(flags.items()))}

    def total(self, metas: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the counts of all shards, and who split."""
        from collections import Counter

        from dama.hardness.asked import many_fell_back

        flags: Counter[str] = Counter()
        for meta in metas:
            flags.update(meta["flags"])
        names = ("preferences", "chosen_facts", "rejected_facts")
        counts = {name: sum(meta[name] for meta in metas) for name in names}
        if warning := many_fell_back(flags, counts["preferences"]):
            log.warning(warning)
        return {
            **counts,
            "flags": dict(sorted(flags.items())),
            "splitter": facts_key(self._context.spec),
        }


STAGE = Stage(
    name="facts",
    version=2,
    reads=_reads,
    key=facts_key,
    run=InShards(Splitting),
    title="split answers into facts",
    wanted=lambda spec: spec.hardness is not None,
    part=texts_only,
    ready=require_splitter,
)
