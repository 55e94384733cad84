"""After a step: save? stop? One answer for all ranks.

Any rank may have got a signal, and only the first one's clock counts, so the ranks exchange three numbers
after every step; whoever is told to stop, all stop after the same step.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dama.spec.train import TrainSpec
from dama.train import ranks


class Stop(Protocol):
    """A wish to stop, from outside; `dama.stages.stopping` makes one of SIGTERM and SIGINT."""

    started: float
    """`time.monotonic()` when this start of the training began."""

    @property
    def asked(self) -> bool:
        """Whether training is to stop after the step."""
        ...

    def wait_for_steps(self) -> None:
        """Steps are being taken: from now on a wish is granted after the step, not at once."""
        ...


class Unstopped:
    """Nobody asks."""

    asked = False

    def __init__(self) -> None:
        self.started = time.monotonic()

    def wait_for_steps(self) -> None:
        """Nothing changes."""


@dataclass(frozen=True)
class Order:
    """What to do after a step."""

    save: bool
    stop: str = ""
    """Why to stop once that is saved; empty to go on."""


class Orders:
    """Says after every step whether to save and whether to stop."""

    def __init__(
        self,
        spec: TrainSpec,
        steps: int,
        stop: Stop,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._every_steps, self._steps, self._stop, self._clock = spec.save_every_steps, steps, stop, clock
        self._save_seconds = _seconds(spec.save_every_minutes)
        self._limit_seconds = _seconds(spec.limit_minutes)
        self._limit = spec.limit_minutes
        self._saved = clock()

    def after(self, step: int) -> Order:
        """Return the order after `step`, the same on every rank, which must all ask."""
        now = self._clock()
        first = ranks.rank() == 0
        asked, due, over = ranks.highest(
            [
                int(self._stop.asked),
                int(first and now - self._saved >= self._save_seconds),
                int(first and now - self._stop.started >= self._limit_seconds),
            ]
        )
        reason = ""
        if step < self._steps:
            reason = (
                "asked to stop" if asked else f"train.limit_minutes {self._limit:g} is over" if over else ""
            )
        save = bool(reason or due or step % self._every_steps == 0 or step == self._steps)
        if save:
            self._saved = now
        return Order(save, reason)


def _seconds(minutes: float | None) -> float:
    return float("inf") if minutes is None else 60 * minutes
