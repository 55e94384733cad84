"""Freezing once for all the pods of a run: what names stood for when the first one asked.

A branch of the hub may move between one pod and the next. So the first writes the frozen run file into the
store, under the digest of the run file it was given, and all others read it there.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from dama.errors import ObjectMissing, StoreUnreachable
from dama.spec.load import dump, parse
from dama.spec.run import RunSpec
from dama.stages.freeze import freeze
from dama.storage.base import Store
from dama.storage.layout import pin_key

Found = TypeVar("Found")
_PAUSE_SECONDS = 5.0


def pinned(spec: RunSpec, store: Store) -> RunSpec:
    """Return the frozen run file that stands for `spec` in the store, writing it if nobody has."""
    found = find_pinned(spec, store)
    if found is None:
        store.put_bytes(_key(spec), dump(freeze(spec)).encode())
        found = find_pinned(spec, store)  # read back: of several that freeze at once, the last word counts
    if found is None:
        raise ObjectMissing(f"{store.uri}/{_key(spec)} was written and is not there")
    return found


def patiently(ask: Callable[[], Found], say: Callable[[str], None], seconds: float = 900.0) -> Found:
    """Return what `ask` returns, waiting for a store that does not answer yet: a run's own takes a while."""
    end = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except StoreUnreachable as error:
            if time.monotonic() > end:
                raise
            say(f"waiting for the store: {error.found}")
        time.sleep(_PAUSE_SECONDS)


def find_pinned(spec: RunSpec, store: Store) -> RunSpec | None:
    """Return the frozen run file that stands for `spec` in the store, None while there is none."""
    key = _key(spec)
    try:
        text = store.get_bytes(key).decode()
    except ObjectMissing:
        return None
    return parse(text, folder=Path("/"), source=f"{store.uri}/{key}")


def _key(spec: RunSpec) -> str:
    return pin_key(hashlib.sha256(dump(spec).encode()).hexdigest())
