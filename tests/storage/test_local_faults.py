"""A local store on a full disk, a forbidden folder, and after a killed writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from s3_servers import BUCKET, Server

from dama.errors import AccessRefused, StorageError, StoreFull
from dama.spec.storage import StorageSpec
from dama.storage.commit import read_commit, write_artifact
from dama.storage.local import LocalStore
from dama.storage.uri import open_store

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")


@root_only
def test_a_full_disk_leaves_nothing_half_written(small_disk: Path, tmp_path: Path) -> None:
    store, big = LocalStore(small_disk / "root"), tmp_path / "big"
    big.write_bytes(os.urandom(300_000))
    store.put_bytes("kept", b"old")
    moved: list[int] = []
    writes: tuple[Callable[[], None], ...] = (
        lambda: store.put_bytes("kept", big.read_bytes()),
        lambda: store.put_file("kept", big),
        lambda: store.put_file("kept", big, moved.append),
    )
    for write in writes:
        with pytest.raises(StoreFull, match="no space left"):
            write()
        assert store.get_bytes("kept") == b"old"
        assert [path.name for path in (small_disk / "root").iterdir()] == ["kept"]


@root_only
def test_an_artifact_that_does_not_fit_is_absent(small_disk: Path, tmp_path: Path) -> None:
    store, folder = LocalStore(small_disk), tmp_path / "made"
    folder.mkdir()
    for number in range(4):
        (folder / f"part-{number}").write_bytes(os.urandom(90_000))
    with pytest.raises(StoreFull):
        write_artifact(store, "artifacts/x/1", folder, {})
    assert read_commit(store, "artifacts/x/1") is None


@root_only
def test_fetching_to_a_full_disk_says_so(small_disk: Path, server: Server, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(os.urandom(300_000))
    remote, here = server.store(f"full-{server.name}"), LocalStore(tmp_path)
    remote.put_file("big", tmp_path / "big")
    for source in (remote, here):
        with pytest.raises(StoreFull, match="copy"):
            source.get_file("big", small_disk / "copy")
    assert list(small_disk.iterdir()) == []


def test_a_place_below_a_file_is_an_error_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    store = LocalStore(tmp_path / "file" / "root")
    with pytest.raises(StorageError):
        store.put_bytes("a", b"x")
    assert store.size("a") is None
    assert list(store.keys()) == []


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root may write everywhere: be somebody else for a while."""
    uid = os.geteuid()
    if uid == 0:
        os.seteuid(65534)
    yield
    os.seteuid(uid)


def test_a_folder_of_others_is_refused(tmp_path: Path, nobody: None) -> None:
    locked = tmp_path / "locked"
    if os.getuid() != 0:
        locked.mkdir(mode=0o500)
    with pytest.raises(AccessRefused, match="permission denied"):
        LocalStore(locked).put_bytes("a/b", b"x")


def test_what_a_killed_writer_left_is_swept_and_a_living_one_is_not(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from dama.storage.whole import replacing\n"
        "with replacing(Path(sys.argv[1])) as beside:\n"
        "    beside.write_bytes(b'half'); print('ready', flush=True); time.sleep(60)"
    )
    store = LocalStore(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "weights")], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        store.put_bytes("a", b"x")
        assert len(list(tmp_path.glob(".part-*"))) == 1, "it is still being written"
        assert list(store.keys()) == ["a"]
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    deadline = time.monotonic() + 60
    while list(tmp_path.glob(".part-*")) and time.monotonic() < deadline:
        LocalStore(tmp_path).put_bytes("b", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_the_address_says_which_store(tmp_path: Path, server: Server) -> None:
    local = open_store(StorageSpec(uri=f"file://{tmp_path}"))
    assert local.uri == str(tmp_path)
    assert local.local("a") == tmp_path / "a"
    remote = open_store(server.spec("some/where"))
    assert remote.uri == f"s3://{BUCKET}/some/where"
    assert remote.local("a") is None
