"""Files that are whole or absent: written beside their place, synced, then renamed into it."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dama.errors import AccessRefused, ObjectMissing, StorageError, StoreFull

BESIDE = ".part-"
"""How the name of a file begins that is still being written."""


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a path beside `target` to write to, then put it in `target`'s place at one stroke."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f"{BESIDE}{secrets.token_hex(8)}")
    handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # says that a living process writes here; see `sweep`
        yield beside
        os.fsync(handle)
        beside.replace(target)
        _sync_folder(target.parent)
    finally:
        beside.unlink(missing_ok=True)
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove what killed processes were writing in `folder`; nobody holds a lock on it any more."""
    left_over: list[Path] = []
    with suppress(OSError):  # writing there will say what is wrong with the folder
        left_over = list(folder.glob(f"{BESIDE}*"))
    for left in left_over:
        with suppress(OSError):
            handle = os.open(left, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(handle)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn the operating system's errors at `path` into ours."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise ObjectMissing(f"{error.filename or path} is not there") from error
    except PermissionError as error:
        raise AccessRefused(
            f"{error.filename or path}: permission denied", do="check the folder's owner and mode"
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(
                f"no space left writing {path}", do="free space, then run the same command again"
            ) from error
        raise StorageError(f"{error.filename or path}: {error.strerror or error}") from error


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where the file system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
