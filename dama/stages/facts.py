"""Stage `facts`: both answers of every preference, split into facts, shard by shard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dama.errors import HardnessError
from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext
from dama.stages.inputs import texts_only
from dama.stages.progress import counted
from dama.stages.shards import InShards

if TYPE_CHECKING:
    from dama.hardness.facts import Splitter


def _key(spec: RunSpec) -> dict[str, Any] | None:
    return None if spec.hardness is None else spec.hardness.facts.model_dump(mode="json")


class _Facts:
    """Facts of the preferences of each shard; the splitter is opened for the first."""

    title = "preferences split"

    def __init__(self, context: StageContext) -> None:
        from dama.data.table import PreferenceTable

        self._context = context
        self._preferences = PreferenceTable(context.inputs["data"])
        self._shards = self._preferences.shards()
        self.sizes: Sequence[int] = [len(shard) for shard in self._shards]
        self._splitter: Splitter | None = None

    def make(self, shard: int, out: Path, advance: Callable[[int], None]) -> dict[str, Any]:
        from collections import Counter

        from dama.hardness.cache import read_facts, write_facts
        from dama.stages.splitters import open_splitter

        if self._splitter is None:
            self._splitter = open_splitter(self._context)
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
        from collections import Counter

        flags: Counter[str] = Counter()
        for meta in metas:
            flags.update(meta["flags"])
        counts = ("preferences", "chosen_facts", "rejected_facts")
        return {
            **{name: sum(meta[name] for meta in metas) for name in counts},
            "flags": dict(sorted(flags.items())),
            "splitter": _key(self._context.spec),
        }


STAGE = Stage(
    name="facts",
    version=2,
    reads=lambda spec: ("data",),
    key=_key,
    run=InShards(_Facts),
    title="split answers into facts",
    wanted=lambda spec: spec.hardness is not None,
    part=texts_only,
)
