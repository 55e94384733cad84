"""What making an artifact took, kept beside it and no part of it: equal work leaves equal bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dama.errors import ObjectMissing
from dama.storage.base import Store

MADE = "made.json"
"""Beside an artifact: seconds, preferences/s, memory, the run that made it."""


def write_made(store: Store, prefix: str, made: Mapping[str, Any]) -> None:
    """Record what the artifact under `prefix` took."""
    store.put_bytes(f"{prefix}/{MADE}", as_json(made))


def read_made(store: Store, prefix: str) -> dict[str, Any]:
    """Return what was recorded when the artifact under `prefix` was made; empty when nothing was."""
    try:
        return dict(json.loads(store.get_bytes(f"{prefix}/{MADE}")))
    except (ObjectMissing, ValueError):
        return {}


def as_json(value: Mapping[str, Any]) -> bytes:
    """Write a record as one line of JSON."""
    return (json.dumps(value, sort_keys=True) + "\n").encode()
