"""Checkpoints on their way to the store while training goes on: one thread a machine, one at a time.

An upload that fails is said in a warning, and the next checkpoint, which is newer, takes its place. Two
failures in a row, or a failure of the last one, end the training with that error, on every rank.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dama.errors import DamaError, StorageError
from dama.train import ranks
from dama.train.checkpoint import Checkpoints, Machines

log = logging.getLogger(__name__)

_ALLOWED_FAILURES = 1
_NICE = 10
_OTHERS_SECONDS = 60.0
"""How long a training that ends with an error lets other machines finish their share of a checkpoint."""


class Uploads:
    """The uploads of one start of a training; every rank has one and calls it in the same order."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        start = ranks.all_objects(secrets.token_hex(8))[0]
        self._machines = Machines(ranks.machine(), ranks.machines(), start)
        self._checkpoints = checkpoints
        self._step: int | None = None
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._failures = 0
        self._give_up_at = float("inf")

    def begin(self, step: int, folder: Path, meta: Mapping[str, Any]) -> None:
        """Start to upload what all ranks of this machine have written to `folder`, then remove it.

        `settle` must have been called since the one before.
        """
        self._step = step
        if ranks.local_rank() == 0:
            self._thread = threading.Thread(
                target=self._carry, args=(step, folder, meta), name="dama-upload", daemon=True
            )
            self._thread.start()

    def settle(self, *, last: bool = False) -> None:
        """Wait for the upload in flight, on every rank; raise its error if it may not fail.

        Machines other than the first report before the first stops waiting for their lists.
        """
        if self._step is None:
            return
        if self._machines.number:
            self._join()
        if self._machines.count > 1 and any(ranks.highest([int(self._error is not None)])):
            self._give_up_at = 0.0
        self._join()
        said = next((text for text in ranks.all_objects(_text(self._error)) if text), None)
        step, error = self._step, self._error
        self._step, self._error, self._give_up_at = None, None, float("inf")
        if said is None:
            self._failures = 0
            return
        self._failures += 1
        if last or self._failures > _ALLOWED_FAILURES:
            if error is not None:
                raise error
            raise StorageError(f"the checkpoint of step {step} could not be uploaded: {said}")

    def finish_alone(self) -> None:
        """Wait for the upload in flight without a word to the other ranks, which may be gone."""
        self._give_up_at = time.monotonic() + _OTHERS_SECONDS
        self._join()

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _carry(self, step: int, folder: Path, meta: Mapping[str, Any]) -> None:
        _give_way()
        try:
            self._checkpoints.save(step, folder, meta, self._machines, self._given_up)
        except Exception as error:
            self._error = error
            log.warning("the checkpoint of step %d is not in the store: %s", step, _text(error))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _given_up(self) -> bool:
        return time.monotonic() > self._give_up_at


def _give_way() -> None:
    """Let training have the processor first: on Linux a thread has a niceness of its own, and so have the
    threads that it starts."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _text(error: Exception | None) -> str | None:
    if error is None:
        return None
    return str(error) if isinstance(error, DamaError) else f"{type(error).__name__}: {error}"
