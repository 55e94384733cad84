"""The scorer that a run file names, and what a commit says of it."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dama.errors import HardnessError, ToolMissing
from dama.records import Facts, PairScore, Preference
from dama.spec.hardness import MiniatureScorer, OpenClipScorer, ScorerSpec
from dama.spec.paths import is_path
from dama.spec.run import RunSpec
from dama.stages.base import StageContext

if TYPE_CHECKING:
    from dama.hardness.scorer import ClipScorer
    from dama.hardness.similarity import Images


class AccountedScorer(Protocol):
    """A scorer (`dama.hardness.similarity.Scorer`) that says what a commit should know of its scores."""

    def score(self, items: Iterable[tuple[Preference, Facts]], images: Images) -> Iterator[PairScore]:
        """Yield the scores of every preference, in the order given."""
        ...

    def account(self) -> dict[str, Any]:
        """Return `scorer`, which describes the engine, and counts of what it did since it was last asked."""
        ...


def open_scorer(context: StageContext) -> RunScorer:
    """Return the scorer of the run's `hardness.scorer`; it loads nothing before its first `score`.

    HardnessError when the run has no hardness.
    """
    if context.spec.hardness is None:
        raise HardnessError("this run has no hardness", do="add a part `hardness` to the run file")
    return RunScorer(context, context.spec.hardness.scorer)


def require_scorer(spec: RunSpec) -> None:
    """Raise what keeps a run from scoring, before anything is computed.

    ToolMissing without open_clip, HardnessError when `model: local` comes without a folder.
    """
    if spec.hardness is None:
        return
    missing = [name for name in ("torch", "open_clip") if importlib.util.find_spec(name) is None]
    if missing:
        raise ToolMissing(
            f"scores are made by open_clip, and {' and '.join(missing)} is not installed",
            do="install dama[laptop]",
        )
    scorer = spec.hardness.scorer
    if isinstance(scorer, OpenClipScorer) and scorer.model == "local" and not is_path(scorer.weights):
        raise HardnessError(
            f"hardness.scorer.model is local, and weights '{scorer.weights}' names no folder",
            wanted="./folder, /folder or ~/folder",
            do=f"write ./{scorer.weights}, or the open_clip model whose tag '{scorer.weights}' is",
        )


class RunScorer:
    """A run's scorer, its model loaded by the first `score`: a process with nothing to score loads none."""

    def __init__(self, context: StageContext, spec: ScorerSpec) -> None:
        self._context, self._spec = context, spec
        self._scorer: ClipScorer | None = None
        self._told: Counter[str] = Counter()

    def score(self, items: Iterable[tuple[Preference, Facts]], images: Images) -> Iterator[PairScore]:
        """Yield the scores of every preference, in the order given.

        Raises HardnessError when the weights are not those that the run was frozen with, and as
        `dama.hardness.scorer.ClipScorer` does.
        """
        if self._scorer is None:
            self._scorer = self._opened()
        yield from self._scorer.score(items, images)

    def account(self) -> dict[str, Any]:
        """Return model, weights and precision, and what was encoded and cut since it was last asked."""
        if self._scorer is None:
            raise HardnessError("nothing was scored yet", do="score first, then ask")
        counts = self._scorer.counts - self._told
        self._told = self._scorer.counts.copy()
        return {
            "scorer": self._description(self._scorer),
            "images_encoded": counts["images"],
            "texts_encoded": counts["texts"],
            "facts_truncated": counts["truncated"],
            "facts_split": counts["split"],
        }

    def _description(self, scorer: ClipScorer) -> dict[str, Any]:
        spec, clip = self._spec, scorer.clip
        model = spec.model if isinstance(spec, OpenClipScorer) and not is_path(spec.weights) else "local"
        return {
            "engine": spec.engine,
            "model": model,
            **clip.weights,
            "precision": clip.precision,
            "context_tokens": clip.context,
            "over_length": spec.over_length,
        }

    def _opened(self) -> ClipScorer:
        from dama.hardness.clip import load_clip
        from dama.hardness.scorer import ClipScorer

        spec, revision = self._spec, None
        if isinstance(spec, MiniatureScorer):
            model, weights = "local", str(self._context.inputs["world"] / "clip")
        elif is_path(spec.weights):
            model, weights = "local", spec.weights
            _check_digest(spec)
        else:
            model, weights, revision = spec.model, spec.weights, spec.revision
        clip = load_clip(model, weights, revision=revision, device=spec.device, precision=spec.precision)
        self._context.notes["device"] = clip.device
        return ClipScorer(clip, batch=spec.batch, over_length=spec.over_length)


def together(accounts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the account of a whole from those of its shards.

    Raises HardnessError when they were not scored alike: their scores would not compare.
    """
    scorers = {str(sorted(account["scorer"].items())): account["scorer"] for account in accounts}
    if len(scorers) > 1:
        one, other = list(scorers.values())[:2]
        differ = sorted(key for key in one | other if one.get(key) != other.get(key))
        said = "; ".join(f"{key} {one.get(key)} and {other.get(key)}" for key in differ)
        raise HardnessError(
            f"some shards were scored otherwise than others: {said}",
            wanted="one model in one precision for all of them",
            do="freeze the run file (`dama run` does), set hardness.scorer.precision, delete the scores' "
            "artifact and run stage scores again",
        )
    totals: Counter[str] = Counter()
    for account in accounts:
        totals.update({key: value for key, value in account.items() if key != "scorer"})
    return {"scorer": next(iter(scorers.values()), {}), **totals}


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
