"""A store in a local folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from dama.storage.base import Progress, check_key, check_prefix
from dama.storage.whole import BESIDE, replacing, sweep, told

_CHUNK = 1 << 20


class LocalStore:
    """Files below a folder; each is whole or absent."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.uri = str(root)
        self._swept: set[Path] = set()

    def __repr__(self) -> str:
        return f"LocalStore({self.uri!r})"

    def put_bytes(self, key: str, data: bytes) -> None:
        """Write `data` under `key`."""
        target = self._target(key)
        with told(target), replacing(target) as beside:
            beside.write_bytes(data)

    def put_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        """Copy the file at `path` under `key`."""
        target = self._target(key)
        with told(target), replacing(target) as beside:
            _copy(path, beside, progress)

    def get_bytes(self, key: str) -> bytes:
        """Return what lies under `key`."""
        path = self._path(key)
        with told(path):
            return path.read_bytes()

    def get_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        """Copy what lies under `key` to `path`."""
        source = self._path(key)
        with told(source):
            source.open("rb").close()  # what is not there leaves no folder behind at `path`
        with told(path), replacing(path) as beside:
            _copy(source, beside, progress)

    def size(self, key: str) -> int | None:
        """Return the number of bytes under `key`, None when there is nothing."""
        path = self._path(key)
        with told(path):
            return path.stat().st_size if path.is_file() else None

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield every key that starts with `prefix`, in order."""
        start = self.root / check_prefix(prefix).rpartition("/")[0]
        found = []
        for folder, _, names in os.walk(start):
            for name in names:
                key = (Path(folder) / name).relative_to(self.root).as_posix()
                if key.startswith(prefix) and not name.startswith(BESIDE):
                    found.append(key)
        yield from sorted(found)

    def delete(self, key: str) -> None:
        """Remove `key`, and folders that it leaves empty."""
        path = self._path(key)
        if self.size(key) is None:
            return
        with told(path):
            path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self.root:
                break
            try:
                folder.rmdir()
            except OSError:
                break

    def local(self, key: str) -> Path:
        """Return the path of `key`."""
        return self._path(key)

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def _target(self, key: str) -> Path:
        path = self._path(key)
        if path.parent not in self._swept:
            self._swept.add(path.parent)
            sweep(path.parent)
        return path


def _copy(source: Path, target: Path, progress: Progress | None) -> None:
    if progress is None:
        shutil.copyfile(source, target)
        return
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            writer.write(chunk)
            progress(len(chunk))
