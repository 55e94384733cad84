"""Stage `scores`: every fact scored against its preference's image by CLIP."""

from __future__ import annotations

from typing import Any

from dama.errors import HardnessError
from dama.spec.hardness import MiniatureScorer, OpenClipScorer
from dama.spec.paths import is_path
from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext, with_world
from dama.stages.progress import counted, progress
from dama.stages.scorers import open_scorer, require_scorer


def _key(spec: RunSpec) -> dict[str, Any] | None:
    """Return what names the scores: the model and how it reads, not how many at a time."""
    if spec.hardness is None:
        return None
    scorer = spec.hardness.scorer
    key = scorer.model_dump(mode="json", exclude={"batch", "device"})
    if isinstance(scorer, OpenClipScorer) and scorer.digest is not None and is_path(scorer.weights):
        del key["weights"], key["model"]  # a folder: its bytes name it, not its place
    return key


def _run(context: StageContext) -> dict[str, Any]:
    import time

    from dama.data.table import PreferenceTable
    from dama.hardness.cache import write_scores
    from dama.hardness.pairing import with_facts

    scorer = open_scorer(context)
    preferences = PreferenceTable(context.inputs["data"])
    images = preferences.images(context.spec.data.max_pixels)
    started = time.monotonic()
    with progress("preferences scored", len(preferences)) as advance:
        pairs = with_facts(preferences, context.inputs["facts"])
        written = write_scores(context.out, counted(scorer.score(pairs, images), advance))
    if written != len(preferences):
        raise HardnessError(f"{len(preferences)} preferences came in, scores of {written} went out")
    context.notes["preferences_per_second"] = round(written / max(time.monotonic() - started, 1e-9), 2)
    return {"preferences": written, **scorer.account()}


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
    run=_run,
    title="score facts against images",
    wanted=lambda spec: spec.hardness is not None,
    ready=require_scorer,
)
