"""Relative paths of a run file, made absolute from the folder it lies in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dama.spec.run import RunSpec

_PLACES = (
    ("model", "path"),
    ("data", "uri"),
    ("data", "images"),
    ("hardness", "facts", "model", "path"),
    ("hardness", "scorer", "weights"),
    ("storage", "uri"),
    ("storage", "scratch"),
)
_BENCHMARKS = ("data", "images")


def is_path(text: str) -> bool:
    """Say whether `text` names a local path by its look (used where a word may also be a tag)."""
    return text.startswith((".", "/", "~", "file://"))


def absolute(spec: RunSpec, folder: Path) -> RunSpec:
    """Return `spec` with its local paths absolute; remote addresses and words stay as they are."""
    raw = spec.model_dump()
    for place in _PLACES:
        part: Any = raw
        for key in place[:-1]:
            part = part.get(key) if isinstance(part, dict) else None
        if isinstance(part, dict):
            _make_absolute(part, place[-1], folder)
    for benchmark in raw["evaluate"]["benchmarks"]:
        for key in _BENCHMARKS:
            _make_absolute(benchmark, key, folder)
    return RunSpec.model_validate(raw)


def _make_absolute(part: dict[str, Any], key: str, folder: Path) -> None:
    """Let a local path under `key` of `part` start at `folder`."""
    text = part.get(key)
    if not isinstance(text, str) or (key == "weights" and not is_path(text)):
        return
    if "://" not in text or text.startswith("file://"):
        part[key] = str((folder / Path(text.removeprefix("file://")).expanduser()).resolve())
