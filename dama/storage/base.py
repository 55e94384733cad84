"""What a store is: bytes under keys. Everything above speaks only this protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

Progress = Callable[[int], None]
"""Called with the number of bytes that just moved."""


class Store(Protocol):
    """Bytes under slash-separated keys below one root.

    Writing a key is atomic: a reader sees the old bytes, the new bytes or nothing, never a part.
    Methods raise the StorageError that fits: ObjectMissing, AccessRefused, StoreUnreachable, StoreFull.
    """

    uri: str
    """Address of the root, for people."""

    def put_bytes(self, key: str, data: bytes) -> None:
        """Write `data` under `key`."""
        ...

    def put_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        """Write the file at `path` under `key`."""
        ...

    def get_bytes(self, key: str) -> bytes:
        """Return what lies under `key`."""
        ...

    def get_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        """Write what lies under `key` to the file at `path`, whole or not at all."""
        ...

    def size(self, key: str) -> int | None:
        """Return the number of bytes under `key`, None when there is nothing."""
        ...

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield every key that starts with `prefix`, in order."""
        ...

    def delete(self, key: str) -> None:
        """Remove `key`; nothing happens when it is absent."""
        ...

    def local(self, key: str) -> Path | None:
        """Return the file or folder of `key` when the store is a local folder, else None."""
        ...


def check_key(key: str) -> str:
    """Return `key` if it stays below the root: no empty, `.` or `..` step, no backslash, no NUL."""
    steps = key.split("/")
    if any(step in ("", ".", "..") for step in steps) or "\\" in key or "\x00" in key:
        raise ValueError(f"not a key: {key!r}")
    return key


def check_prefix(prefix: str) -> str:
    """Return `prefix` if keys that start so stay below the root; it may be empty or end within a step."""
    if prefix:
        folder, _, rest = prefix.rpartition("/")
        if folder or rest != prefix:
            check_key(folder)
        check_key(rest + "-")  # a beginning of a step, so even `.` may go on to be a name
    return prefix
