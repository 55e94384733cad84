"""Stage `scores`: every fact scored against its preference's image by CLIP, shard by shard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dama.errors import HardnessError
from dama.spec.hardness import MiniatureScorer, OpenClipScorer
from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext, with_world
from dama.stages.progress import counted
from dama.stages.shards import InShards

if TYPE_CHECKING:
    from dama.hardness.similarity import Scorer


def _key(spec: RunSpec) -> dict[str, Any] | None:
    """Return what names the scores: the model and how it reads, not how many at a time."""
    if spec.hardness is None:
        return None
    scorer = spec.hardness.scorer
    key = scorer.model_dump(mode="json", exclude={"batch"})
    if isinstance(scorer, OpenClipScorer) and scorer.digest is not None:
        del key["weights"]  # a folder: its bytes name it, not its place
    return key


class _Scores:
    """Scores of the facts of each shard; the scorer is opened for the first."""

    title = "preferences scored"

    def __init__(self, context: StageContext) -> None:
        from dama.data.table import PreferenceTable

        self._context = context
        self._preferences = PreferenceTable(context.inputs["data"])
        self._shards = self._preferences.shards()
        self.sizes: Sequence[int] = [len(shard) for shard in self._shards]
        self._images = self._preferences.images()
        self._scorer: Scorer | None = None

    def make(self, shard: int, out: Path, advance: Callable[[int], None]) -> dict[str, Any]:
        from dama.hardness.cache import write_scores
        from dama.hardness.pairing import with_facts
        from dama.stages.scorers import open_scorer

        if self._scorer is None:
            self._scorer = open_scorer(self._context)
        preferences = self._preferences.take(self._shards[shard])
        pairs = with_facts(preferences, self._context.shard("facts", shard))
        written = write_scores(out, counted(self._scorer.score(pairs, self._images), advance))
        if written != len(preferences):
            raise HardnessError(f"{len(preferences)} preferences came in, scores of {written} went out")
        return {"preferences": written}

    def total(self, metas: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {
            "preferences": sum(meta["preferences"] for meta in metas),
            "images": len(self._images),
            "scorer": _key(self._context.spec),
        }


STAGE = Stage(
    name="scores",
    version=2,
    reads=lambda spec: with_world(
        spec,
        "data",
        "facts",
        used=spec.hardness is not None and isinstance(spec.hardness.scorer, MiniatureScorer),
    ),
    key=_key,
    run=InShards(_Scores),
    title="score facts against images",
    wanted=lambda spec: spec.hardness is not None,
)
