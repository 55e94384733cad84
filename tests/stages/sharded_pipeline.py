"""Three small stages, two of them in shards, that note what they do: words -> lengths -> stars -> sheet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dama.spec.load import parse
from dama.spec.run import RunSpec
from dama.stages.base import Planned, Stage, StageContext, plan
from dama.stages.shards import InShards
from dama.storage.base import Store
from dama.storage.layout import shard_name
from dama.storage.uri import open_store

WORDS = ["a", "red", "star", "above", "two", "blue", "squares", "and", "nothing", "else", "in", "sight"]
COUNT = 4
"""Shards that the twelve words are cut into."""


@dataclass
class Log:
    """What was done, for tests to look at, and what is to happen in between."""

    opened: list[str] = field(default_factory=list)
    made: list[tuple[str, int]] = field(default_factory=list)
    before: Callable[[str, int], None] = lambda stage, shard: None
    """Called before a shard is made."""


class Writing:
    """Work that writes one line a word; its engine is opened by the first shard."""

    title = "words"

    def __init__(self, context: StageContext, log: Log) -> None:
        self._context, self._log, self._name = context, log, context.planned.stage.name
        words = (context.inputs["data"] / "words").read_text().split()
        self._shards = [words[start::COUNT] for start in range(COUNT)]
        self.sizes: Sequence[int] = [len(shard) for shard in self._shards]
        self._engine = ""

    def make(self, shard: int, out: Path, advance: Callable[[int], None]) -> Mapping[str, Any]:
        """Write `lines`: the words' lengths, or as many stars."""
        self._log.before(self._name, shard)
        if not self._engine:
            self._engine = "ready"
            self._log.opened.append(self._name)
        self._log.made.append((self._name, shard))
        if self._name == "facts":
            lines = [str(len(word)) for word in self._shards[shard]]
        else:
            lines = [
                "*" * int(n) for n in (self._context.shard("facts", shard) / "lines").read_text().split()
            ]
        (out / "lines").write_text("\n".join(lines))
        advance(len(lines))
        return {"letters": sum(map(len, self._shards[shard]))}

    def total(self, metas: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return the letters of all shards."""
        return {"letters": sum(meta["letters"] for meta in metas)}


def stages(log: Log) -> tuple[Stage, ...]:
    """Return data, facts, scores, alpha; the two in the middle in shards."""

    def data(context: StageContext) -> Mapping[str, Any]:
        (context.out / "words").write_text(" ".join(WORDS))
        (context.out / "pictures").write_text("large")
        return {}

    def alpha(context: StageContext) -> Mapping[str, Any]:
        folder = context.inputs["scores"]
        lines = [(folder / shard_name(shard) / "lines").read_text() for shard in range(COUNT)]
        (context.out / "sheet").write_text("\n".join(lines))
        return {"letters": context.metas["scores"]["letters"]}

    def stage(name: str, run: Any, *reads: str) -> Stage:
        return Stage(
            name=name,
            version=1,
            reads=lambda spec: reads,
            key=lambda spec: {},
            run=run,
            title=name,
            part=lambda stage, part: part != "pictures",
        )

    work = InShards(lambda context: Writing(context, log))
    return (
        stage("data", data),
        stage("facts", work, "data"),
        stage("scores", work, "data", "facts"),
        stage("alpha", alpha, "scores"),
    )


def pipeline(folder: Path, *overrides: str) -> tuple[RunSpec, dict[str, Planned], Store, Log]:
    """Return a run in `folder`, its plan, its store and its log."""
    spec, log = parse("model: tiny\nname: small", overrides, folder=folder), Log()
    return spec, plan(spec, stages(log)), open_store(spec.storage), log
