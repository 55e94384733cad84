"""A store that is waited for: an outage in the middle of hours of work holds it up, and does not end it."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from dama.errors import StorageError, StoreUnreachable
from dama.storage.base import Progress, Store

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 10.0

Answer = TypeVar("Answer")


class PatientStore:
    """The store `below`, asked again for `seconds` when it has answered before and no longer does.

    One that never answered is not waited for: there the address is wrong more often than the server is down.
    The first wait of each outage is said in a warning. StoreUnreachable comes when it lasts longer.
    """

    def __init__(
        self,
        below: Store,
        seconds: float,
        *,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.below, self.uri, self.seconds = below, below.uri, seconds
        self._pause, self._clock = pause, clock
        self._has_answered = False

    def __repr__(self) -> str:
        return f"PatientStore({self.below!r})"

    def put_bytes(self, key: str, data: bytes) -> None:
        """Write `data` under `key`."""
        self._ask(lambda: self.below.put_bytes(key, data))

    def put_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        """Write the file at `path` under `key`; `progress` hears again of bytes that move again."""
        self._ask(lambda: self.below.put_file(key, path, progress))

    def get_bytes(self, key: str) -> bytes:
        """Return what lies under `key`."""
        return self._ask(lambda: self.below.get_bytes(key))

    def get_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        """Write what lies under `key` to the file at `path`; `progress` as in `put_file`."""
        self._ask(lambda: self.below.get_file(key, path, progress))

    def size(self, key: str) -> int | None:
        """Return the number of bytes under `key`, None when there is nothing."""
        return self._ask(lambda: self.below.size(key))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield every key that starts with `prefix`, in order; after an outage it goes on behind the last."""
        last = ""
        under_way = self.below.keys(prefix)

        def after_last() -> str | None:
            nonlocal under_way
            try:
                return next((key for key in under_way if key > last), None)
            except StoreUnreachable:
                under_way = self.below.keys(prefix)  # an iterator that raised is at its end
                raise

        while (key := self._ask(after_last)) is not None:
            last = key
            yield key

    def delete(self, key: str) -> None:
        """Remove `key`; nothing happens when it is absent."""
        self._ask(lambda: self.below.delete(key))

    def local(self, key: str) -> Path | None:
        """Return the file or folder of `key` when the store below is a local folder, else None."""
        return self.below.local(key)

    def _ask(self, ask: Callable[[], Answer]) -> Answer:
        end, pause = None, 0.5
        while True:
            try:
                answer = ask()
            except StoreUnreachable as error:
                if end is None:
                    end = self._clock() + self.seconds
                    if self._has_answered and self.seconds:
                        log.warning("the store is waited for, %.0f s at most: %s", self.seconds, error)
                if not self._has_answered or self._clock() >= end:
                    raise
                self._pause(random.uniform(0.5, 1.0) * pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            except StorageError:
                self._has_answered = True  # that nothing lies there, say
                raise
            else:
                self._has_answered = True
                return answer
