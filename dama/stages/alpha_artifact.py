"""An artifact of stage alpha, found by what a person has: a run file, a folder, an address in S3."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dama.errors import CorruptArtifact, HardnessError, ObjectMissing
from dama.spec.load import load
from dama.spec.places import check_store
from dama.spec.run import RunSpec
from dama.spec.storage import StorageSpec
from dama.stages.base import run_record
from dama.stages.made import MADE, read_made
from dama.storage.base import Store, check_key
from dama.storage.commit import COMMIT, Commit, fetch_artifact, read_commit
from dama.storage.local import LocalStore
from dama.storage.uri import open_store

HARDNESS, SUMMARY = "hardness.parquet", "summary.json"
BEFORE = ("facts", "scores", "alpha")
"""The stages whose time makes up that of hardness."""


@dataclass(frozen=True)
class AlphaArtifact:
    """A committed artifact of stage alpha; its parts in a local folder are verified."""

    place: str
    """Where it lies, for people."""
    run: str
    """The run that it was asked for by, empty where it was asked for by its place."""
    folder: Path
    digest: str
    """sha256 of its commit."""
    summary: Mapping[str, Any]
    seconds: Mapping[str, float]
    """What the stages took, as far as it was recorded."""


def open_alpha(
    asked: str, scratch: Path, *, overrides: Sequence[str] = (), storage: Path | None = None
) -> AlphaArtifact:
    """Return the artifact that `asked` names; what is not local is fetched into `scratch`.

    A run file (or the folder of a run) stands for the artifact which that run made or reused last. `storage`
    is a run file whose endpoint and keys are taken for an address in S3.

    Raises HardnessError where no such artifact is, what lies there is another, or it was made otherwise than
    the run file says now; CorruptArtifact when its bytes are not those of its commit.
    """
    asked = asked.rstrip("/") or asked
    if asked.rpartition("/")[2] in (COMMIT, HARDNESS, SUMMARY, MADE):
        asked = asked.rpartition("/")[0] or "."
    if "://" in asked and not asked.startswith("file://"):
        store, prefix = _at_address(asked, storage)
        return _opened(store, prefix, "", [prefix], scratch)
    path = Path(asked.removeprefix("file://")).expanduser()
    if path.is_dir() and (path / "run.yaml").is_file():
        path = path / "run.yaml"
    if path.is_file():
        return _of_run(load(path, overrides), path, scratch)
    if not path.is_dir():
        raise HardnessError(
            f"{path} is neither a file nor a folder", wanted="a run file, or an artifact of stage alpha"
        )
    path = path.resolve()
    return _opened(LocalStore(path.parent), path.name, "", [path.name], scratch)


def _at_address(address: str, storage: Path | None) -> tuple[Store, str]:
    """Return the store of an address in S3, and the artifact's prefix there."""
    parent, _, name = address.rpartition("/")
    try:
        check_key(name)
        if not check_store(parent).startswith("s3://"):
            raise ValueError("a bucket alone")
    except ValueError as error:
        raise HardnessError(
            f"{address} is no place of an artifact",
            wanted="a run file, a folder or s3://bucket/…/artifacts/alpha/…",
        ) from error
    spec = load(storage).storage if storage is not None else StorageSpec()
    return open_store(spec.model_copy(update={"uri": parent})), name


def _of_run(spec: RunSpec, file: Path, scratch: Path) -> AlphaArtifact:
    """Return what the run recorded as its artifact of stage alpha."""
    if spec.hardness is None:
        raise HardnessError(f"run '{spec.name}' has no hardness", do="add a part `hardness` to the run file")
    store, named = open_store(spec.storage), shlex.quote(str(file))
    prefixes = {name: _recorded(store, spec.name, name) for name in BEFORE}
    prefix = prefixes["alpha"]
    if prefix is None:
        raise HardnessError(
            f"run '{spec.name}' has computed no hardness in {store.uri}",
            do=f"run `dama preprocess {named}` (or `dama run {named}` for all)",
        )
    found = _opened(store, prefix, spec.name, [one for one in prefixes.values() if one], scratch)
    for key in ("form", "aggregate"):
        made, wanted = found.summary.get(key), getattr(spec.hardness, key)
        if made != wanted:
            raise HardnessError(
                f"{found.place} was made with hardness.{key}={made}, and {file} says {wanted}",
                do=f"run `dama stage alpha {named}`, which needs no GPU, or name the artifact itself",
            )
    return found


def _recorded(store: Store, run: str, stage: str) -> str | None:
    """Return the prefix of the artifact that a run's record of a stage names; None without a record."""
    key = run_record(run, stage)
    try:
        return check_key(str(json.loads(store.get_bytes(key))["artifact"]))
    except ObjectMissing:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptArtifact(
            f"{store.uri}/{key} is no record of a stage", do=f"delete it and run stage {stage} again"
        ) from error


def _opened(store: Store, prefix: str, run: str, made: Sequence[str], scratch: Path) -> AlphaArtifact:
    place = f"{store.uri}/{prefix}"
    commit = read_commit(store, prefix)
    if commit is None:
        raise HardnessError(
            f"{place} holds no {COMMIT}",
            wanted="an artifact of stage alpha: its commit is written last, so without one it is not whole",
            do="run stage alpha to its end, or copy the artifact's whole folder",
        )
    if not {HARDNESS, SUMMARY} <= set(commit.parts):
        parts = ", ".join(sorted(commit.parts)[:4]) or "nothing"
        raise HardnessError(
            f"{place} holds {parts}", wanted=f"an artifact of stage alpha: {HARDNESS} and {SUMMARY}"
        )
    wanted = Commit({name: commit.parts[name] for name in (HARDNESS, SUMMARY)}, commit.meta)
    folder = fetch_artifact(store, prefix, wanted, scratch)
    try:
        summary = dict(json.loads((folder / SUMMARY).read_text(encoding="utf-8")))
        if not {"form", "aggregate"} <= set(summary):
            raise ValueError("not how δ was made")
    except (ValueError, TypeError) as error:
        raise CorruptArtifact(
            f"{place}/{SUMMARY} is no summary", do="delete the artifact and run stage alpha again"
        ) from error
    return AlphaArtifact(place, run, folder, commit.digest(), summary, _seconds(store, made))


def _seconds(store: Store, prefixes: Sequence[str]) -> dict[str, float]:
    """Return what was recorded beside artifacts, by stage; nothing where there is no record."""
    seconds = {}
    for prefix in prefixes:
        made = read_made(store, prefix)
        if isinstance(made.get("seconds"), int | float):
            seconds[str(made.get("stage"))] = float(made["seconds"])
    return seconds
