"""What a stage is, which artifact it makes, and how one is run: read, call, commit.

A stage is data: its name, its version (raised when its output changes meaning), the stages it reads, the parts of
the spec it depends on, and a function that fills a folder. Everything else (naming, skipping what is already
committed, fetching and verifying inputs, committing last, recording time) is done here, once, for all stages.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dama.errors import MissingInput, ObjectMissing
from dama.spec.run import RunSpec
from dama.storage.base import Store
from dama.storage.commit import Commit, fetch_artifact, read_commit, write_artifact
from dama.storage.layout import artifact_digest, artifact_prefix, run_prefix
from dama.storage.uri import open_store


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
    notes: dict[str, Any] = field(default_factory=dict)
    """What depends on clock and host (seconds of a part, preferences/s, peak memory): kept beside the artifact."""


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
    commit = read_commit(store, planned.prefix)
    if commit is not None:
        return Outcome(commit, reused=True, seconds=0.0)
    with scratch_folder(spec) as scratch:
        inputs, metas = {}, {}
        for name in planned.inputs:
            found = read_commit(store, whole[name].prefix)
            if found is None:
                raise MissingInput(planned.stage.name, name, f"{store.uri}/{whole[name].prefix}")
            inputs[name] = fetch_artifact(store, whole[name].prefix, found, scratch / "inputs")
            metas[name] = found.meta
        out = scratch / "out"
        out.mkdir()
        context = StageContext(spec, store, planned, inputs, metas, out, scratch, whole)
        started = time.monotonic()
        meta = planned.stage.run(context)
        seconds = time.monotonic() - started
        if int(os.environ.get("RANK", "0")) == 0:
            _record(store, planned, {**context.notes, "seconds": round(seconds, 3)})
            commit = write_artifact(store, planned.prefix, out, meta)
        else:
            commit = Commit({}, {})
    return Outcome(commit, reused=False, seconds=seconds)


def _record(store: Store, planned: Planned, notes: Mapping[str, Any]) -> None:
    """Keep what the making took beside the artifact; it is no part, so equal work stays equal bytes."""
    made = {"stage": planned.stage.name, **notes}
    store.put_bytes(f"{planned.prefix}/made.json", (json.dumps(made, sort_keys=True) + "\n").encode())


def read_made(store: Store, planned: Planned) -> dict[str, Any]:
    """Return what was recorded when the artifact was made; empty when nothing was."""
    try:
        return dict(json.loads(store.get_bytes(f"{planned.prefix}/made.json")))
    except (ObjectMissing, ValueError):
        return {}


def with_world(spec: RunSpec, *names: str, used: bool) -> tuple[str, ...]:
    """Return `names`, and "world" in front when the stage uses something of the miniature world."""
    return ("world", *names) if used and spec.world is not None else names


class scratch_folder:  # noqa: N801 - used as a `with` block, like tempfile's
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
