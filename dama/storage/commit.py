"""Artifacts: parts under one prefix, and a commit written last that names them all.

    <prefix>/part-a          bytes
    <prefix>/part-b          bytes
    <prefix>/commit.json     {"parts": {"part-a": {"sha256", "size"}, ...}, "meta": {...}}

A reader trusts only the commit and verifies what it reads; without a commit there is no artifact, whatever
else lies there. Nothing in a commit depends on the clock or the host, so equal work leaves equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dama.errors import CorruptArtifact, ObjectMissing
from dama.storage.base import Progress, Store, check_key
from dama.storage.layout import shard_name
from dama.storage.whole import replacing, told

Item = TypeVar("Item")
COMMIT = "commit.json"
_CHUNK = 1 << 20
_AT_A_TIME = 8
_SHARD = re.compile(rf"/{shard_name()}/\d+/")
_MEND = "delete the artifact's folder and run its stage again"
_MEND_SHARD = "delete the shard's folder and the artifact's commit.json, and run its stage again"


@dataclass(frozen=True)
class Part:
    """One file of an artifact."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Commit:
    """What an artifact consists of; `meta` is the maker's own JSON."""

    parts: Mapping[str, Part]
    meta: Mapping[str, Any]

    def digest(self) -> str:
        """Return the sha256 of the commit: equal digests mean equal artifacts."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """Write the commit as JSON; same commit, same bytes."""
        parts = {
            name: {"sha256": part.sha256, "size": part.size} for name, part in sorted(self.parts.items())
        }
        return (json.dumps({"parts": parts, "meta": self.meta}, sort_keys=True, indent=1) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, place: str) -> Commit:
        """Read a commit; CorruptArtifact if it is none."""
        try:
            raw = json.loads(data)
            parts = {
                check_key(str(name)): Part(str(part["sha256"]), int(part["size"]))
                for name, part in raw["parts"].items()
            }
            return cls(parts, dict(raw["meta"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptArtifact(
                f"{place}/{COMMIT} is no commit", do="delete it and run the stage again"
            ) from error


def sha256_of(path: Path) -> str:
    """Return the sha256 (hex) of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write_artifact(
    store: Store, prefix: str, folder: Path, meta: Mapping[str, Any], progress: Progress | None = None
) -> Commit:
    """Put every file of `folder` under `prefix`, several at a time, then the commit."""
    return write_commit(store, prefix, Commit(write_parts(store, prefix, folder, progress), dict(meta)))


def write_parts(store: Store, prefix: str, folder: Path, progress: Progress | None = None) -> dict[str, Part]:
    """Put every file of `folder` under `prefix`, several at a time; there is no artifact yet."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    if COMMIT in files:
        raise ValueError(f"a part cannot be called {COMMIT}")
    parts: dict[str, Part] = {}

    def put(name: str) -> None:
        parts[name] = Part(sha256_of(files[name]), files[name].stat().st_size)
        store.put_file(f"{prefix}/{name}", files[name], progress)

    in_parallel(put, sorted(files))
    return parts


def write_commit(store: Store, prefix: str, commit: Commit) -> Commit:
    """Write the commit of parts that are there: from now on the artifact is."""
    store.put_bytes(f"{prefix}/{COMMIT}", commit.to_bytes())
    return commit


def read_commit(store: Store, prefix: str) -> Commit | None:
    """Return the commit of the artifact under `prefix`, None when it is not (yet) committed."""
    try:
        data = store.get_bytes(f"{prefix}/{COMMIT}")
    except ObjectMissing:
        return None
    return Commit.from_bytes(data, f"{store.uri}/{prefix}")


def fetch_artifact(
    store: Store, prefix: str, commit: Commit, scratch: Path, progress: Progress | None = None
) -> Path:
    """Return a local folder with the artifact's verified parts: the store's own, or a copy in `scratch`.

    Raises CorruptArtifact when a part is missing, short or changed.
    """
    own = store.local(prefix)
    folder = own if own is not None else scratch / commit.digest()
    if own is None:
        folder.mkdir(parents=True, exist_ok=True)

    def fetch(name: str) -> None:
        part, path = commit.parts[name], folder / name
        if own is None and not (path.is_file() and path.stat().st_size == part.size):
            with suppress(ObjectMissing):  # told below, as every other fault of a part
                _fetch(store, f"{prefix}/{name}", path, part.size, progress)
        verify(path, part, f"{store.uri}/{prefix}/{name}")

    in_parallel(fetch, commit.parts)
    return folder


def _fetch(store: Store, key: str, path: Path, size: int, progress: Progress | None) -> None:
    """Write what lies under `key` to the file at `path`, a small one by a single request."""
    if size > _CHUNK:
        store.get_file(key, path, progress)
        return
    data = store.get_bytes(key)
    with told(path), replacing(path) as beside:
        beside.write_bytes(data)
    if progress is not None:
        progress(len(data))


def in_parallel(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Do `work` for every item, several at a time; the first error ends it and is raised."""
    pool = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="dama-storage")
    try:
        for done in [pool.submit(work, item) for item in items]:
            done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def verify(path: Path, part: Part, place: str) -> None:
    """Raise CorruptArtifact unless the file at `path` holds exactly the bytes of `part`."""
    if not path.is_file():
        found = "is missing"
    elif path.stat().st_size != part.size:
        found = f"has {path.stat().st_size} bytes"
    elif sha256_of(path) != part.sha256:
        found = "has other bytes (sha256 differs)"
    else:
        return
    raise CorruptArtifact(
        f"{place} {found}",
        wanted=f"{part.size} bytes, sha256 {part.sha256[:12]}…",
        do=_MEND_SHARD if _SHARD.search(place) else _MEND,
    )


def delete_artifact(store: Store, prefix: str) -> None:
    """Remove everything under `prefix`, commits first, so that no reader meets a torn artifact."""
    for key in sorted(store.keys(f"{prefix}/"), key=lambda key: not key.endswith(f"/{COMMIT}")):
        store.delete(key)
