"""A stage's inputs as local folders: fetched once a host, however many ranks read them.

The ranks of one torchrun share a folder, named by the id that torchrun gives them all. One rank fetches and
verifies an artifact under a lock while the others wait, then all read the same copy; the last one to leave
removes the folder. A process outside torchrun has the folder to itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dama.storage.base import Store
from dama.storage.commit import Commit, fetch_artifact


@contextmanager
def inputs_folder(own: Path, scratch: str | None) -> Iterator[Path]:
    """Give the folder that inputs are fetched into: below `own`, or shared by the ranks of one torchrun.

    `scratch` is the folder that a shared one is made in (`storage.scratch`), the system's own if None.
    """
    run = os.environ.get("TORCHELASTIC_RUN_ID")
    if run is None:
        yield own
        return
    name = f"dama-inputs-{os.getuid()}-{hashlib.sha256(run.encode()).hexdigest()[:16]}"
    folder = Path(scratch or tempfile.gettempdir()) / name
    users = folder.with_name(f"{name}.users")
    handle = _join(users)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield folder
    finally:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # another rank still reads
        else:
            shutil.rmtree(folder, ignore_errors=True)
            users.unlink(missing_ok=True)
        os.close(handle)


def fetch_once(store: Store, prefix: str, commit: Commit, folder: Path) -> Path:
    """Return a local folder with the artifact's verified parts; of many callers on a host, one works."""
    folder.mkdir(parents=True, exist_ok=True)
    digest = commit.digest()
    verified = folder / f"{digest}.verified"
    with (folder / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if verified.exists():
            return store.local(prefix) or folder / digest
        found = fetch_artifact(store, prefix, commit, folder)
        verified.touch()
    return found


def _join(users: Path) -> int:
    """Return a handle that holds a shared lock on the file at `users`, as it is there now."""
    users.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(users, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        fcntl.flock(handle, fcntl.LOCK_SH)
        try:
            if os.stat(users).st_ino == os.fstat(handle).st_ino:  # noqa: PTH116 - beside fstat
                return handle
        except FileNotFoundError:
            pass  # the last user of an earlier round removed it between our open and our lock
        os.close(handle)


def texts_only(stage: str, part: str) -> bool:
    """Say whether a stage that looks at no image reads a part: of stage `data` only the preferences."""
    return stage != "data" or part == "preferences.parquet"
