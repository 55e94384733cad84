"""What a stage is, which artifact it makes, and how one is run: read, call, commit.

A stage is data: its name, its version (raised when its output changes meaning), the stages it reads, the
parts of the spec it depends on, and a function that fills a folder. Everything else (naming, skipping what is
already committed, fetching and verifying inputs, committing last, recording time) is done here, once.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dama.errors import DamaError, MissingInput, RestartMe, StoreFull
from dama.spec.run import RunSpec
from dama.stages.inputs import fetch_once, inputs_folder
from dama.stages.made import as_json, write_made
from dama.stages.shards import InShards, Made, fetch_shard, make_shards
from dama.stages.share import Share
from dama.stages.stopping import Stopping
from dama.storage.base import Store
from dama.storage.commit import Commit, read_commit, write_artifact
from dama.storage.layout import artifact_digest, artifact_prefix, run_prefix, shard_prefix
from dama.storage.uri import open_store

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
    run: Callable[[StageContext], Mapping[str, Any]] | InShards
    """Fill `context.out`; return the commit's meta (JSON, free of clock and host). Or so, shard by shard."""
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
    part: Callable[[str, str], bool] = lambda stage, part: True
    """Whether it reads the part of that name of the input of that name; others are not fetched."""

    @property
    def in_shards(self) -> bool:
        """Whether its work falls into shards, which several processes can share."""
        return isinstance(self.run, InShards)


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
    """Local folder of every input, by stage name; a stage in shards reads others in shards by `shard`."""
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

    def shard(self, name: str, shard: int) -> Path:
        """Return the verified local folder of one shard of input `name`, whether or not all others are there.

        Raises MissingInput when it is not committed.
        """
        prefix = self.plan[name].prefix
        folder = fetch_shard(self.store, prefix, shard, self.scratch / "shards")
        if folder is None:
            place = f"{self.store.uri}/{shard_prefix(prefix, shard)}"
            raise MissingInput(self.planned.stage.name, name, place)
        return folder


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
    """Of the artifact; empty on all ranks but the first, and while others still make shards."""
    reused: bool
    seconds: float
    awaits: Made | None = None
    """The shards that others still make, if there are any: this process did its share."""


def run_stage(
    spec: RunSpec, planned: Planned, whole: Mapping[str, Planned], share: Share | None = None
) -> Outcome:
    """Make the artifact of one stage unless it is committed, and record the run's share of it.

    With a `share` only that much of a stage in shards is made; the outcome says what is left to others.
    """
    store = open_store(spec.storage)
    started = time.monotonic()
    commit = read_commit(store, planned.prefix)
    if commit is not None:
        outcome = Outcome(commit, reused=True, seconds=0.0)
    else:
        planned.stage.ready(spec)
        with Stopping(hears=planned.stage.goes_on) as stopping:
            made = _make(spec, store, planned, whole, stopping, share or Share())
        outcome = Outcome(
            made.commit or Commit({}, {}),
            reused=False,
            seconds=time.monotonic() - started,
            awaits=made if made.missing else None,
        )
    if _first_rank() and outcome.awaits is None:
        record_outcome(store, spec.name, planned, outcome)
    return outcome


def _make(
    spec: RunSpec,
    store: Store,
    planned: Planned,
    whole: Mapping[str, Planned],
    stopping: Stopping,
    share: Share,
) -> Made:
    """Read, call, commit. Only the first rank commits; the others get no commit back."""
    stage = planned.stage
    with scratch_folder(spec) as scratch, inputs_folder(scratch / "inputs", spec.storage.scratch) as shared:
        inputs, metas = {}, {}
        for name in planned.inputs:
            if stage.in_shards and whole[name].stage.in_shards:
                continue  # read shard by shard, while others may still be made
            found = read_commit(store, whole[name].prefix)
            if found is None:
                raise MissingInput(stage.name, name, f"{store.uri}/{whole[name].prefix}")
            wanted = {part: one for part, one in found.parts.items() if stage.part(name, part)}
            inputs[name] = fetch_once(store, whole[name].prefix, Commit(wanted, found.meta), shared)
            metas[name] = found.meta
        out = scratch / "out"
        out.mkdir()
        context = StageContext(spec, store, planned, inputs, metas, out, scratch, whole, stopping)
        started = time.monotonic()
        _surroundings(spec)
        with _full_disk_told(scratch):
            if isinstance(stage.run, InShards):
                return make_shards(context, stage.run.begin(context), share)
            meta = stage.run(context)
        seconds = time.monotonic() - started
        if not _first_rank():
            return Made(None, (), 1)
        # Another process may have made it meanwhile; should that one round otherwise, its bytes are to stay.
        theirs = read_commit(store, planned.prefix)
        if theirs is not None:
            return Made(theirs, (), 1)
        made = {"stage": stage.name, "run": spec.name, **context.notes, "seconds": round(seconds, 3)}
        write_made(store, planned.prefix, made)
        return Made(write_artifact(store, planned.prefix, out, meta), (), 1)


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
    store.put_bytes(run_record(run, planned.stage.name), as_json(record))


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
