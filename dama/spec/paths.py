"""The local paths of a run file: which they are, and made absolute from the folder it lies in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dama.spec.run import RunSpec

_READ = (
    ("model", "path"),
    ("data", "uri"),
    ("data", "images"),
    ("hardness", "facts", "model", "path"),
    ("hardness", "scorer", "weights"),
)
"""What a run reads, benchmarks aside."""
_WRITTEN = (("storage", "uri"), ("storage", "scratch"))
_BENCHMARKS = ("data", "images")
_Place = tuple[str, dict[str, Any], str]
"""Its path in the run file, the part that holds it, and the key there."""


def is_path(text: str) -> bool:
    """Say whether `text` names a local path by its look (used where a word may also be a tag)."""
    return text.startswith((".", "/", "~", "file://"))


def absolute(spec: RunSpec, folder: Path) -> RunSpec:
    """Return `spec` with its local paths absolute; remote addresses and words stay as they are."""
    raw = spec.model_dump()
    for _, part, key in (*_local(raw, _READ), *_local(raw, _WRITTEN), *_local_of_benchmarks(raw)):
        part[key] = str((folder / Path(part[key].removeprefix("file://")).expanduser()).resolve())
    return RunSpec.model_validate(raw)


def local_sources(spec: RunSpec) -> list[tuple[str, str]]:
    """Return the local files and folders that a run of `spec` reads: (path in the run file, what it says)."""
    raw = spec.model_dump()
    places = (*_local(raw, _READ), *_local_of_benchmarks(raw))
    return [(path, part[key]) for path, part, key in places]


def mounted(spec: RunSpec, text: str) -> bool:
    """Say whether a local path is or lies below one of cluster.volumes, and so in the pods of the run."""
    place = f"{text.removeprefix('file://').rstrip('/')}/"
    return any(place.startswith(f"{volume.path.rstrip('/')}/") for volume in spec.cluster.volumes)


def _local(raw: dict[str, Any], places: Sequence[tuple[str, ...]]) -> Iterator[_Place]:
    """Yield those of `places` that the run file has and that are local."""
    for place in places:
        part: Any = raw
        for key in place[:-1]:
            part = part.get(key) if isinstance(part, dict) else None
        if isinstance(part, dict) and _is_local(part.get(place[-1]), place[-1]):
            yield ".".join(place), part, place[-1]


def _local_of_benchmarks(raw: dict[str, Any]) -> Iterator[_Place]:
    for number, benchmark in enumerate(raw["evaluate"]["benchmarks"]):
        for key in _BENCHMARKS:
            if _is_local(benchmark.get(key), key):
                yield f"evaluate.benchmarks.{number}.{key}", benchmark, key


def _is_local(text: object, key: str) -> bool:
    if not isinstance(text, str) or (key == "weights" and not is_path(text)):
        return False
    return "://" not in text or text.startswith("file://")
