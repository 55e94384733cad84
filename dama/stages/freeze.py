"""A run file with all that could move nailed down: hub revisions as commits, folders by their digest."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from dama.errors import ModelError, Problem, SpecError
from dama.spec.data import MiniatureData
from dama.spec.hardness import HardnessSpec, OpenClipScorer, VllmFacts
from dama.spec.model import HubModel, LocalModel, ModelSpec
from dama.spec.paths import is_path
from dama.spec.presets import SCORERS
from dama.spec.run import RunSpec
from dama.storage.commit import sha256_of

_COMMIT = re.compile(r"^[0-9a-f]{40}$")
_WAIT_SECONDS = 20.0


def freeze(spec: RunSpec) -> RunSpec:
    """Return `spec` naming exact bytes; a frozen run file freezes to itself.

    Raises ModelError or DataError when the hub cannot say which commit is meant or a folder is missing, and
    SpecError when a digest that the run file already holds is not that of what lies there now.
    """
    changes: dict[str, Any] = {}
    changes["model"] = _frozen_model(spec.model, "model")
    if data := _frozen_data(spec):
        changes["data"] = data
    if spec.hardness is not None:
        changes["hardness"] = _frozen_hardness(spec.hardness)
    if any(benchmark.kind != "miniature" for benchmark in spec.evaluate.benchmarks):
        from dama.stages.published import frozen_benchmarks

        frozen_all = frozen_benchmarks(spec)
        changes["evaluate"] = spec.evaluate.model_copy(update={"benchmarks": frozen_all})
    return RunSpec.model_validate(spec.model_copy(update=changes).model_dump())


def _frozen_model(model: ModelSpec, path: str) -> ModelSpec:
    """Return the model under the run file's key `path` with its commit or its folder's digest."""
    if isinstance(model, HubModel) and not _COMMIT.match(model.revision):
        commit = hub_commit(model.id, model.revision, f"{path}.revision")
        return model.model_copy(update={"revision": commit})
    if isinstance(model, LocalModel):
        folder = Path(model.path.removeprefix("file://"))
        if not folder.is_dir():
            raise ModelError(f"{path}.path: {folder} is no folder", do=f"mend {path}.path")
        digest = same_digest(f"{path}.digest", model.digest, folder_digest(folder), str(folder))
        return model.model_copy(update={"digest": digest})
    return model


def _frozen_hardness(hardness: HardnessSpec) -> HardnessSpec:
    """Return how hardness is found with the exact splitter and the exact CLIP weights."""
    facts, scorer = hardness.facts, hardness.scorer
    if isinstance(facts, VllmFacts):
        model = _frozen_model(facts.model, "hardness.facts.model")
        hardness = hardness.model_copy(update={"facts": facts.model_copy(update={"model": model})})
    if isinstance(scorer, OpenClipScorer):
        hardness = hardness.model_copy(update={"scorer": _frozen_scorer(scorer)})
    return hardness


def _frozen_data(spec: RunSpec) -> Any:  # noqa: ANN401 - one of the data kinds, or None
    data = spec.data
    if isinstance(data, MiniatureData):
        return None
    if data.uri.startswith("hf://"):
        from dama.data.hub import resolve_revision

        data = data.model_copy(update={"uri": resolve_revision(data.uri)})
    from dama.data.fingerprint import fingerprint

    digest = same_digest("data.digest", data.digest, fingerprint(data, spec.storage), data.uri)
    return data.model_copy(update={"digest": digest})


def _frozen_scorer(scorer: OpenClipScorer) -> OpenClipScorer:
    """Return the scorer with the digest of its folder, or with the commit that its tag's weights are of."""
    if is_path(scorer.weights):
        folder = Path(scorer.weights.removeprefix("file://"))
        if not folder.exists():
            raise ModelError(
                f"hardness.scorer.weights: {folder} is not there", do="mend hardness.scorer.weights"
            )
        digest = folder_digest(folder) if folder.is_dir() else sha256_of(folder)
        digest = same_digest("hardness.scorer.digest", scorer.digest, digest, str(folder))
        return scorer.model_copy(update={"digest": digest})
    if scorer.revision is not None and _COMMIT.match(scorer.revision):
        return scorer
    commit = SCORERS.get((scorer.model, scorer.weights)) if scorer.revision is None else None
    if commit is None:
        try:
            from dama.hardness.clip import hub_repository
        except ImportError as error:
            raise ModelError(
                f"which commit {scorer.model}/{scorer.weights} is of, open_clip is needed to know "
                f"({error.name} is not installed)",
                do="install dama[hardness], or write the 40-digit commit as hardness.scorer.revision",
            ) from error
        repository = hub_repository(scorer.model, scorer.weights)
        commit = hub_commit(repository, scorer.revision or "main", "hardness.scorer.revision")
    return scorer.model_copy(update={"revision": commit})


def same_digest(path: str, written: str | None, found: str, place: str) -> str:
    """Return the digest found; SpecError when the run file's key `path` holds another one already."""
    if written is not None and written != found:
        raise SpecError(
            [
                Problem(
                    path,
                    f"{written[:12]}…, but {place} has {found[:12]}…: it changed since the run was frozen",
                    do=f"put the old files back, or remove {path} to use the new ones",
                )
            ]
        )
    return found


def folder_digest(folder: Path) -> str:
    """Return one sha256 over names and bytes of a folder's files; hidden ones (tools' notes) do not count."""
    digest = hashlib.sha256()
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    for name in names:
        if not any(step.startswith(".") for step in name.split("/")):
            digest.update(f"{name}\0{sha256_of(folder / name)}\n".encode())
    return digest.hexdigest()


def hub_commit(name: str, revision: str, key: str = "model.revision") -> str:
    """Return the commit that a hub model's `revision` is now; ModelError when the hub does not say.

    `key` is where the run file may name a commit instead.
    """
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
    except ImportError as error:
        raise ModelError(
            f"{name}@{revision}: the package huggingface_hub is not installed",
            do=f"install dama[laptop], or write the 40-digit commit as {key}",
        ) from error
    try:
        commit = HfApi().model_info(name, revision=revision, timeout=_WAIT_SECONDS).sha
    except GatedRepoError as error:
        raise ModelError(f"model {name} is gated", do="accept its terms, then `hf auth login`") from error
    except RevisionNotFoundError as error:
        raise ModelError(f"model {name} has no revision '{revision}'", do=f"mend {key}") from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"the hub shows you no model {name}", do=f"mend {key.rpartition('.')[0]}, or log in"
        ) from error
    except Exception as error:  # every HTTP library that the hub's client may use has its own tree
        raise ModelError(
            f"the hub does not say which commit {name}@{revision} is ({type(error).__name__})",
            do=f"check the network, or write the 40-digit commit as {key}, which needs none",
        ) from error
    if not commit or not _COMMIT.match(commit):
        raise ModelError(f"the hub names no commit for {name}@{revision}", do=f"write it as {key}")
    return str(commit)
