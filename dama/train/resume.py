"""Where a training goes on: the newest whole checkpoint, the same one on every machine."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dama.errors import CorruptArtifact, TrainingError
from dama.train import ranks
from dama.train.checkpoint import Checkpoints

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Resumed:
    """A checkpoint that training goes on from."""

    step: int
    folder: Path
    """Its files, on this machine."""
    meta: Mapping[str, Any]
    copied: bool

    def discard(self) -> None:
        """Remove the files once every rank of the machine has read them, unless they are the store's own."""
        ranks.barrier()
        if self.copied and ranks.local_rank() == 0:
            shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class _Attempt:
    """What one machine has to say about one checkpoint."""

    found: Resumed | None = None
    corrupt: str = ""
    refused: TrainingError | None = None


def newest(checkpoints: Checkpoints, scratch: Path) -> Resumed | None:
    """Return the newest checkpoint that is whole on every machine, None when there is none; all ranks call.

    One rank of a machine fetches and verifies, the others read its copy. A corrupt checkpoint is passed over
    with a warning. TrainingError when it is of another training or number of ranks.
    """
    steps = ranks.all_objects(checkpoints.steps() if ranks.rank() == 0 else [])[0]
    for step in reversed(steps):
        mine = _attempt(checkpoints, step, scratch) if ranks.local_rank() == 0 else _Attempt()
        attempts = ranks.all_objects(mine)
        for attempt in attempts:
            if attempt.refused is not None:
                raise attempt.refused
        corrupt = next((attempt.corrupt for attempt in attempts if attempt.corrupt), None)
        if corrupt is None:
            return attempts[ranks.rank() - ranks.local_rank()].found
        if ranks.rank() == 0:
            log.warning("the checkpoint of step %d is passed over: %s", step, corrupt)
    if steps and ranks.rank() == 0:
        log.warning("no checkpoint is whole; training begins at the start")
    return None


def _attempt(checkpoints: Checkpoints, step: int, scratch: Path) -> _Attempt:
    try:
        folder, meta = checkpoints.fetch(step, scratch, ranks.world())
    except CorruptArtifact as error:
        return _Attempt(corrupt=str(error))
    except TrainingError as error:
        return _Attempt(refused=error)
    return _Attempt(Resumed(step, folder, meta, copied=checkpoints.copies()))
