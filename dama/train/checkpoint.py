"""Checkpoints of a training in the store: artifacts under the training's own prefix, newest whole one wins.

<train artifact>/checkpoints/step-000100/...             DeepSpeed's state, RNG of every rank, history
<train artifact>/checkpoints/step-000100/machine-1.json  several machines: what each has uploaded
<train artifact>/checkpoints/step-000100/commit.json     last

Each machine uploads the files of its own ranks. With several, each leaves a list of them, and the first one
waits for all lists and commits; they meet in the store only, so a thread can do it while training goes on.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dama.errors import ObjectMissing, TrainingError
from dama.storage.base import Store
from dama.storage.commit import (
    COMMIT,
    Commit,
    Part,
    delete_artifact,
    fetch_artifact,
    read_commit,
    write_commit,
    write_parts,
)
from dama.storage.layout import checkpoints_prefix

_STEP = re.compile(r"/step-(\d+)/(.+)$")
_MACHINE = "machine-{}.json"
_LOOK_EVERY_SECONDS = 0.2


@dataclass(frozen=True)
class Machines:
    """The machines of one start of a training, as one of them sees them."""

    number: int = 0
    """Which one this is; 0 commits."""
    count: int = 1
    start: str = ""
    """Drawn anew at every start, so that a list left by an earlier one is not taken for today's."""


ALONE = Machines()


class Checkpoints:
    """The checkpoints of one training in the store; `of` says what is trained: names and their digests.

    `of` goes into every checkpoint's meta, and one that says otherwise is refused.
    """

    def __init__(
        self, store: Store, prefix: str, keep_last: int, of: Mapping[str, str] | None = None
    ) -> None:
        self._store, self._prefix, self._keep_last = store, checkpoints_prefix(prefix), keep_last
        self._of = dict(of or {})

    def steps(self) -> list[int]:
        """Return the steps that have a committed checkpoint, oldest first."""
        return [step for step, committed in self._found().items() if committed]

    def save(
        self,
        step: int,
        folder: Path,
        meta: Mapping[str, Any],
        machines: Machines = ALONE,
        given_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """Upload this machine's files of a checkpoint; the first machine commits it and drops old ones.

        The first waits for the other machines' lists for as long as `given_up` says no; TrainingError when
        it says yes.
        """
        place = self._place(step)
        parts = write_parts(self._store, place, folder)
        if machines.count > 1:
            self._leave_list(place, machines, parts)
        if machines.number:
            return
        for other in range(1, machines.count):
            for name, part in self._await_list(place, machines, other, given_up).items():
                if parts.setdefault(name, part) != part:
                    raise TrainingError(f"checkpoint of step {step}: two machines wrote another {name}")
        write_commit(self._store, place, Commit(parts, {"step": step, **self._of, **meta}))
        self._drop_old(step)

    def fetch(self, step: int, scratch: Path, ranks: int) -> tuple[Path, Mapping[str, Any]]:
        """Return a folder with the verified checkpoint of a step, and its meta.

        Raises CorruptArtifact when it is not whole, TrainingError when it is of another training or was
        saved by another number of ranks.
        """
        place = self._place(step)
        commit = read_commit(self._store, place)
        if commit is None:
            raise TrainingError(f"the checkpoint of step {step} went away while it was read")
        self._check(step, commit.meta, ranks)
        try:
            return fetch_artifact(self._store, place, commit, scratch), commit.meta
        except BaseException:
            shutil.rmtree(scratch / commit.digest(), ignore_errors=True)
            raise

    def copies(self) -> bool:
        """Say whether a fetched folder is a copy, and not the store's own."""
        return self._store.local(self._prefix) is None

    def _check(self, step: int, meta: Mapping[str, Any], ranks: int) -> None:
        place = f"{self._store.uri}/{self._prefix}"
        for what, digest in self._of.items():
            found = str(meta.get(what, "none that it names"))
            if found != digest:
                raise TrainingError(
                    f"the checkpoint of step {step} in {place} is of another {what}: {found[:16]}",
                    wanted=digest[:16],
                    do=f"delete {place}/step-{step:06d}, which was not written by this training",
                )
        before = meta.get("ranks")
        if before != ranks:
            raise TrainingError(
                f"the checkpoint of step {step} was saved by {before} ranks, and there are {ranks}",
                wanted="the same number, for optimizer state is cut over ranks",
                do=f"train with {before} ranks, or delete {place}",
            )

    def _leave_list(self, place: str, machines: Machines, parts: Mapping[str, Part]) -> None:
        listed = {name: [part.sha256, part.size] for name, part in sorted(parts.items())}
        text = json.dumps({"start": machines.start, "parts": listed})
        self._store.put_bytes(f"{place}/{_MACHINE.format(machines.number)}", text.encode())

    def _await_list(
        self, place: str, machines: Machines, other: int, given_up: Callable[[], bool]
    ) -> dict[str, Part]:
        while True:
            try:
                said = json.loads(self._store.get_bytes(f"{place}/{_MACHINE.format(other)}"))
            except ObjectMissing:
                said = {}
            if said.get("start") == machines.start:
                return {name: Part(str(sha256), int(size)) for name, (sha256, size) in said["parts"].items()}
            if given_up():
                raise TrainingError(f"machine {other} did not upload its share of {place}")
            time.sleep(_LOOK_EVERY_SECONDS)

    def _drop_old(self, newest: int) -> None:
        """Delete all but the last ones up to `newest`.

        Those beyond it were passed over as corrupt when this training went on from one before them; were
        they counted, keep_last could delete the whole one in their favour.
        """
        found = self._found()
        kept = sorted(step for step, committed in found.items() if committed and step <= newest)
        for step in found.keys() - set(kept[-self._keep_last :]):
            delete_artifact(self._store, self._place(step))

    def _found(self) -> dict[int, bool]:
        """Return every step that left something, in order, and whether it is committed."""
        found: dict[int, bool] = {}
        for key in self._store.keys(f"{self._prefix}/"):
            if match := _STEP.search(key):
                step = int(match.group(1))
                found[step] = found.get(step, False) or match.group(2) == COMMIT
        return dict(sorted(found.items()))

    def _place(self, step: int) -> str:
        return f"{self._prefix}/step-{step:06d}"
