"""What a stage is, which artifact it makes, and how one is run: read, call, commit.

A stage is data: its name, its version (raised when its output changes meaning), the stages it reads, the
parts of the spec it depends on, and a function that fills a folder. Everything else (naming, skipping what is
already committed, fetching and verifying inputs, committing last, recording time) is done here, once.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dama.errors import DamaError, MissingInput, ObjectMissing, RestartMe, StoreFull
from dama.spec.run import RunSpec
from dama.stages.inputs import fetch_once, inputs_folder
from dama.stages.stopping import Stopping
from dama.storage.base import Store
from dama.storage.commit import Commit, read_commit, write_artifact
from dama.storage.layout import artifact_digest, artifact_prefix, run_prefix
from dama.storage.uri import open_store

MADE = "made.json"
"""Beside an artifact and no part of it: what the making took (seconds, memory); equal work, equal bytes."""
_NO_SPACE = 1 << 16


@dataclass(frozen=True)
class Stage:
    """One box of the pipeline."""

    name: str
    version: int
    reads: Callable[[RunSpec], tuple[str, ...]]
    """Names of the stages whose artifacts it reads in this run."""
    key: Callable[[RunSpec], Any]
    """The parts of the spec that its output depends on, as JSON."""
    run: Callable[[StageContext], Mapping[str, Any]]
    """Fill `context.out`; return the commit's meta (JSON, free of clock and host)."""
    title: str
    """What it does, for people, in a few words."""
    wanted: Callable[[RunSpec], bool] = lambda spec: True
    """Whether this run has the stage at all."""
    ranks: Callable[[RunSpec], int] = lambda spec: 1
    """Processes it runs in; more than one are started by torchrun."""
    goes_on: bool = False
    """Saves its state on the way and goes on from there: SIGTERM and SIGINT end it with RestartMe's code."""
    ready: Callable[[RunSpec], None] = lambda spec: None
    """Raise what a run should not find out only here, after other stages have worked for hours."""
    tidy: Callable[[Store, str], None] = lambda store, prefix: None
    """Remove from below the artifact's prefix what only its making needed; called once it is committed."""


@dataclass(frozen=True)
class Planned:
    """A stage of one run and the artifact it makes or has made."""

    stage: Stage
    digest: str
    prefix: str
    inputs: tuple[str, ...]


@dataclass
class StageContext:
    """What a stage's function gets: the spec, its verified inputs, a folder to fill, the store."""

    spec: RunSpec
    store: Store
    planned: Planned
    inputs: Mapping[str, Path]
    """Local folder of every input, by stage name."""
    metas: Mapping[str, Mapping[str, Any]]
    """Meta of every input's commit."""
    out: Path
    """Empty folder to fill; every file in it becomes a part."""
    scratch: Path
    """Folder for anything that need not last."""
    plan: Mapping[str, Planned] = field(default_factory=dict)
    """The whole run's plan, for stages that look at the run itself (report)."""
    stopping: Stopping = field(default_factory=lambda: Stopping(hears=False))
    """Whether somebody wants the stage to stop; only a stage that `goes_on` need look."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What depends on clock and host (seconds of a part, preferences/s, memory): kept beside the artifact."""


def plan(spec: RunSpec, stages: tuple[Stage, ...]) -> dict[str, Planned]:
    """Name every artifact of a frozen run, in order; no store is asked."""
    planned: dict[str, Planned] = {}
    for stage in stages:
        if not stage.wanted(spec):
            continue
        inputs = stage.reads(spec)
        digest = artifact_digest(
            stage.name, stage.version, stage.key(spec), {name: planned[name].digest for name in inputs}
        )
        planned[stage.name] = Planned(stage, digest, artifact_prefix(stage.name, digest), inputs)
    return planned


@dataclass(frozen=True)
class Outcome:
    """How a stage ended: its artifact, and whether it was already there."""

    commit: Commit
    reused: bool
    seconds: float


def run_stage(spec: RunSpec, planned: Planned, whole: Mapping[str, Planned]) -> Outcome:
    """Make the artifact of one stage unless it is committed, and record the run's share of it."""
    store = open_store(spec.storage)
    started = time.monotonic()
    commit = read_commit(store, planned.prefix)
    reused = commit is not None
    if commit is None:
        planned.stage.ready(spec)
        with Stopping(hears=planned.stage.goes_on) as stopping:
            commit = _make(spec, store, planned, whole, stopping)
    outcome = Outcome(commit, reused, 0.0 if reused else time.monotonic() - started)
    if _first_rank():
        record_outcome(store, spec.name, planned, outcome)
    return outcome


def _make(
    spec: RunSpec, store: Store, planned: Planned, whole: Mapping[str, Planned], stopping: Stopping
) -> Commit:
    """Read, call, commit. Only the first rank commits; the others get an empty commit back."""
    with scratch_folder(spec) as scratch, inputs_folder(scratch / "inputs", spec.storage.scratch) as shared:
        inputs, metas = {}, {}
        for name in planned.inputs:
            found = read_commit(store, whole[name].prefix)
            if found is None:
                raise MissingInput(planned.stage.name, name, f"{store.uri}/{whole[name].prefix}")
            inputs[name] = fetch_once(store, whole[name].prefix, found, shared)
            metas[name] = found.meta
        out = scratch / "out"
        out.mkdir()
        context = StageContext(spec, store, planned, inputs, metas, out, scratch, whole, stopping)
        started = time.monotonic()
        _surroundings(spec)
        with _full_disk_told(scratch):
            meta = planned.stage.run(context)
        seconds = time.monotonic() - started
        if not _first_rank():
            return Commit({}, {})
        made = {"stage": planned.stage.name, "run": spec.name, **context.notes, "seconds": round(seconds, 3)}
        store.put_bytes(f"{planned.prefix}/{MADE}", _json(made))
        return write_artifact(store, planned.prefix, out, meta)


def _surroundings(spec: RunSpec) -> None:
    """Set what libraries read from the environment when they are first imported, which stages do in `run`."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads slow a busy machine
    if spec.train.device == "cpu":
        os.environ["DS_ACCELERATOR"] = "cpu"  # transformers may import DeepSpeed, which would look for GPUs


def _first_rank() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def _full_disk_told(scratch: Path) -> Iterator[None]:
    """Say so when it was a full disk that ended a stage; libraries have their own words for it."""
    try:
        yield
    except (DamaError, RestartMe):
        raise
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or shutil.disk_usage(scratch).free < _NO_SPACE:
            raise StoreFull(
                f"no space left in {scratch.parent}",
                do="free space there or move storage.scratch, then run the same command again",
            ) from error
        raise


def record_outcome(store: Store, run: str, planned: Planned, outcome: Outcome) -> None:
    """Record in the run's own folder which artifact its stage stands for, made or reused, and the seconds;
    remove what only its making needed."""
    planned.stage.tidy(store, planned.prefix)
    record = {
        "stage": planned.stage.name,
        "artifact": planned.prefix,
        "digest": outcome.commit.digest(),
        "reused": outcome.reused,
        "seconds": round(outcome.seconds, 3),
    }
    store.put_bytes(run_record(run, planned.stage.name), _json(record))


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, sort_keys=True) + "\n").encode()


def read_made(store: Store, planned: Planned) -> dict[str, Any]:
    """Return what was recorded when the artifact was made; empty when nothing was."""
    try:
        return dict(json.loads(store.get_bytes(f"{planned.prefix}/{MADE}")))
    except (ObjectMissing, ValueError):
        return {}


def with_world(spec: RunSpec, *names: str, used: bool) -> tuple[str, ...]:
    """Return `names`, and "world" in front when the stage uses something of the miniature world."""
    return ("world", *names) if used and spec.world is not None else names


class scratch_folder:
    """A folder for one process, removed at the end; under `storage.scratch` where that is given."""

    def __init__(self, spec: RunSpec) -> None:
        self._parent = spec.storage.scratch
        self._path: Path | None = None

    def __enter__(self) -> Path:
        if self._parent is not None:
            Path(self._parent).mkdir(parents=True, exist_ok=True)
        self._path = Path(tempfile.mkdtemp(prefix="dama-", dir=self._parent))
        return self._path

    def __exit__(self, *_: object) -> None:
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)


def run_record(run: str, stage: str) -> str:
    """Return the key of a run's record of one stage."""
    return f"{run_prefix(run)}/stages/{stage}.json"
