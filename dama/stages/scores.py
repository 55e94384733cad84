"""Stage `scores`: every fact scored against its preference's image by CLIP, shard by shard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dama.errors import HardnessError
from dama.spec.hardness import MiniatureScorer, OpenClipScorer
from dama.spec.paths import is_path
from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext, with_world
from dama.stages.progress import counted
from dama.stages.scorers import AccountedScorer, open_scorer, require_scorer, together
from dama.stages.shards import InShards


def _key(spec: RunSpec) -> dict[str, Any] | None:
    """Return what names the scores: the model and how it reads, not how many at a time."""
    if spec.hardness is None:
        return None
    scorer = spec.hardness.scorer
    key = scorer.model_dump(mode="json", exclude={"batch", "device"})
    if isinstance(scorer, OpenClipScorer) and scorer.digest is not None and is_path(scorer.weights):
        del key["weights"], key["model"]  # a folder: its bytes name it, not its place
    return key


class Scoring:
    """The scores of each shard's facts; the scorer is opened for the first shard that is made."""

    title = "preferences scored"

    def __init__(
        self, context: StageContext, opened: Callable[[StageContext], AccountedScorer] = open_scorer
    ) -> None:
        from dama.data.table import PreferenceTable

        self._context, self._open = context, opened
        self._preferences = PreferenceTable(context.inputs["data"])
        self._shards = self._preferences.shards()
        self.sizes: Sequence[int] = [len(shard) for shard in self._shards]
        self._images = self._preferences.images(context.spec.data.max_pixels)
        self._scorer: AccountedScorer | None = None

    def make(self, shard: int, out: Path, advance: Callable[[int], None]) -> dict[str, Any]:
        """Write `scores.parquet` from the same shard of stage facts; return counts and the scorer."""
        from dama.hardness.cache import write_scores
        from dama.hardness.pairing import with_facts

        if self._scorer is None:
            self._scorer = self._open(self._context)
        preferences = self._preferences.take(self._shards[shard])
        pairs = with_facts(preferences, self._context.shard("facts", shard))
        written = write_scores(out, counted(self._scorer.score(pairs, self._images), advance))
        if written != len(preferences):
            raise HardnessError(f"{len(preferences)} preferences came in, scores of {written} went out")
        return {"preferences": written, **self._scorer.account()}

    def total(self, metas: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the counts of all shards, and who scored; HardnessError when they were not scored alike."""
        return {**together(metas), "images": len(self._images)}


STAGE = Stage(
    name="scores",
    version=3,
    reads=lambda spec: with_world(
        spec,
        "data",
        "facts",
        used=spec.hardness is not None and isinstance(spec.hardness.scorer, MiniatureScorer),
    ),
    key=_key,
    run=InShards(Scoring),
    title="score facts against images",
    wanted=lambda spec: spec.hardness is not None,
    ready=require_scorer,
)
