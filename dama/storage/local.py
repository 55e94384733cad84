"""A store in a local folder."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dama.errors import AccessRefused, ObjectMissing, StorageError, StoreFull
from dama.storage.base import Progress, check_key

_CHUNK = 1 << 20


class LocalStore:
    """Files below a folder; each is written beside its place, synced, then renamed into it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.uri = str(root)

    def put_bytes(self, key: str, data: bytes) -> None:
        """Write `data` under `key`."""
        target = self._path(key)
        with _told(target), _replacing(target) as beside:
            beside.write_bytes(data)

    def put_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        """Copy the file at `path` under `key`."""
        target = self._path(key)
        with _told(target), _replacing(target) as beside:
            _copy(path, beside, progress)

    def get_bytes(self, key: str) -> bytes:
        """Return what lies under `key`."""
        path = self._path(key)
        with _told(path):
            return path.read_bytes()

    def get_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        """Copy what lies under `key` to `path`."""
        source = self._path(key)
        with _told(source), _replacing(path) as beside:
            _copy(source, beside, progress)

    def size(self, key: str) -> int | None:
        """Return the number of bytes under `key`, None when there is nothing."""
        path = self._path(key)
        with _told(path):
            return path.stat().st_size if path.is_file() else None

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield every key that starts with `prefix`, in order."""
        start = self.root / prefix.rpartition("/")[0]
        found = []
        for folder, _, names in os.walk(start):
            for name in names:
                key = (Path(folder) / name).relative_to(self.root).as_posix()
                if key.startswith(prefix) and not name.startswith(".part-"):
                    found.append(key)
        yield from sorted(found)

    def delete(self, key: str) -> None:
        """Remove `key`, and folders that it leaves empty."""
        path = self._path(key)
        with _told(path):
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


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Give a path beside `target` to write to, then put it in `target`'s place at one stroke."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".part-{secrets.token_hex(4)}-{target.name}"[:250])
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn the operating system's errors into ours."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ObjectMissing(f"{path} is not there") from error
    except PermissionError as error:
        raise AccessRefused(f"{path}: permission denied", do="check the folder's owner and mode") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(
                f"no space left writing {path}", do="free space, then run the same command again"
            ) from error
        raise StorageError(f"{path}: {error.strerror or error}") from error


def _copy(source: Path, target: Path, progress: Progress | None) -> None:
    if progress is None:
        shutil.copyfile(source, target)
        return
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            writer.write(chunk)
            progress(len(chunk))
