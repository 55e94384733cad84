"""SIGTERM and SIGINT as a wish to stop: granted at once while nothing can be lost, else after a step.

A stage that saves its state (training) runs inside `Stopping`. Until its steps begin, a signal ends it on the
spot; from then on the stage asks `asked` after every step, saves and ends by itself. A second signal ends it
at once. Either way the exit code is that of RestartMe: nothing went wrong, the same command goes on.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

from dama.errors import RestartMe
from dama.stages.torchrun import note_failure, signal_is_meant

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_AT_ONCE = b"dama: stopped before the first step, nothing is lost; the same command goes on\n"


class Stopping:
    """Hears signals for the time of a stage; does nothing when the stage is not one that goes on later."""

    def __init__(self, *, hears: bool = True) -> None:
        self._hears = hears and threading.current_thread() is threading.main_thread()
        self._before: dict[int, Any] = {}
        self._stepping = False
        self.asked = False
        self.started = time.monotonic()

    def __enter__(self) -> Stopping:
        if self._hears:
            self._before = {number: signal.signal(number, self._hear) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait_for_steps(self) -> None:
        """Steps are being taken: from now on the stage itself looks at `asked`."""
        self._stepping = True

    def _hear(self, number: int, _: FrameType | None) -> None:
        if self.asked:
            os._exit(128 + number)
        if not signal_is_meant():  # another rank failed: no step will end any more
            raise SystemExit(128 + number)
        if self._stepping:
            self.asked = True
            return
        if note_failure(RestartMe.exit_code):
            os.write(2, _AT_ONCE)  # not by sys.stderr, which this signal may have come in the midst of
        raise SystemExit(RestartMe.exit_code)
