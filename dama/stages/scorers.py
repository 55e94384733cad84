"""The scorer that a run file names, ready to use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dama.errors import HardnessError
from dama.spec.hardness import MiniatureScorer, OpenClipScorer
from dama.stages.base import StageContext

if TYPE_CHECKING:
    from dama.hardness.similarity import Scorer


def open_scorer(context: StageContext) -> Scorer:
    """Return the scorer of the run's `hardness.scorer`, its model loaded.

    Raises HardnessError when the run has no hardness, or the weights are not those it was frozen with.
    """
    from dama.hardness.clip import ClipScorer

    if context.spec.hardness is None:
        raise HardnessError("this run has no hardness", do="add a part `hardness` to the run file")
    spec = context.spec.hardness.scorer
    if isinstance(spec, MiniatureScorer):
        model, weights = "local", str(context.inputs["world"] / "clip")
    else:
        model, weights = spec.model, spec.weights
        _check_digest(spec)
    return ClipScorer(model, weights, batch=spec.batch, over_length=spec.over_length)


def _check_digest(scorer: OpenClipScorer) -> None:
    """Raise HardnessError when a local folder's weights are not those that the run was frozen with."""
    from dama.stages.freeze import folder_digest

    if scorer.digest is None:
        return
    folder = Path(scorer.weights.removeprefix("file://"))
    found = folder_digest(folder)
    if found != scorer.digest:
        raise HardnessError(
            f"the CLIP weights in {folder} changed since the run was frozen (sha256 {found[:12]}…)",
            wanted=f"{scorer.digest[:12]}…",
            do="restore them, or start a new run with what is there now",
        )
