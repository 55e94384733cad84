"""What every store keeps to: the local folder, moto's server and versitygw, one suite."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from s3_servers import ACCESS, SECRET

from dama.errors import ObjectMissing
from dama.storage.base import Store
from dama.storage.local import LocalStore

BIG = 11 << 20
"""More than two parts of a multipart transfer."""


def test_bytes_come_back_as_they_went(store: Store) -> None:
    for key, data in {"a": b"", "folder/b.bin": bytes(range(256)), "folder/ü ü.txt": "日本".encode()}.items():
        store.put_bytes(key, data)
        assert store.get_bytes(key) == data
        assert store.size(key) == len(data)


def test_writing_again_replaces(store: Store) -> None:
    store.put_bytes("run.yaml", b"old and longer")
    store.put_bytes("run.yaml", b"new")
    assert store.get_bytes("run.yaml") == b"new"
    assert store.size("run.yaml") == 3


def test_a_large_file_comes_back_as_it_went(store: Store, tmp_path: Path) -> None:
    there, back = tmp_path / "there", tmp_path / "new" / "folder" / "back"
    there.write_bytes(os.urandom(BIG))
    moved: list[int] = []
    store.put_file("weights.safetensors", there, moved.append)
    assert sum(moved) == BIG
    moved.clear()
    store.get_file("weights.safetensors", back, moved.append)
    assert sum(moved) == BIG
    assert back.read_bytes() == there.read_bytes()
    assert [path.name for path in back.parent.iterdir()] == ["back"], "nothing is left beside it"


def test_an_empty_file_comes_back(store: Store, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    store.put_file("empty", tmp_path / "empty")
    store.get_file("empty", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b""
    assert store.size("empty") == 0


def test_what_is_not_there_is_missing(store: Store, tmp_path: Path) -> None:
    store.put_bytes("folder/b", b"1")
    for key in ("a", "folder", "folder/c"):
        assert store.size(key) is None
        with pytest.raises(ObjectMissing, match=key):
            store.get_bytes(key)
        with pytest.raises(ObjectMissing, match=key):
            store.get_file(key, tmp_path / "x")
        store.delete(key)
    assert list(tmp_path.glob("**/x")) == []
    assert store.get_bytes("folder/b") == b"1"


def test_a_failed_read_leaves_the_old_file(store: Store, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("old")
    with pytest.raises(ObjectMissing):
        store.get_file("nothing", tmp_path / "kept")
    assert (tmp_path / "kept").read_text() == "old"
    assert not list(tmp_path.glob(".part-*"))


def test_keys_come_in_order_and_by_prefix(store: Store) -> None:
    names = ["b", "a/10", "a/2", "a/2x/y", "a.txt", "ab/c", "a/é"]
    for name in names:
        store.put_bytes(name, b"x")
    assert list(store.keys()) == sorted(names)
    assert list(store.keys("a/")) == ["a/10", "a/2", "a/2x/y", "a/é"]
    assert list(store.keys("a/2")) == ["a/2", "a/2x/y"]
    assert list(store.keys("a")) == ["a.txt", "a/10", "a/2", "a/2x/y", "a/é", "ab/c"]
    assert list(store.keys("nothing/here")) == []


def test_keys_of_many_pages_are_all_listed(store: Store) -> None:
    names = [f"many/{number:04}" for number in range(35)]  # the tests' stores list ten a page
    for name in names:
        store.put_bytes(name, b"")
    assert list(store.keys("many/")) == names


def test_deleting_removes_only_that_key(store: Store) -> None:
    for key in ("a/b/c", "a/b/d"):
        store.put_bytes(key, b"x")
    store.delete("a/b/c")
    store.delete("a/b/c")
    assert list(store.keys()) == ["a/b/d"]
    store.delete("a/b/d")
    assert list(store.keys()) == []
    store.put_bytes("a/b/c", b"again")
    assert store.get_bytes("a/b/c") == b"again"


ESCAPES = ["../x", "a/../../x", "/etc/passwd", "a//b", "./a", "a/.", "a\\..\\b", "a\x00b", "", "a/"]


@pytest.mark.parametrize("key", ESCAPES)
def test_keys_that_leave_the_root_are_refused(store: Store, key: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for act in (
        lambda: store.put_bytes(key, b"x"),
        lambda: store.put_file(key, tmp_path / "file"),
        lambda: store.get_bytes(key),
        lambda: store.get_file(key, tmp_path / "out"),
        lambda: store.size(key),
        lambda: store.delete(key),
        lambda: store.local(key),
    ):
        with pytest.raises(ValueError, match="not a key"):
            act()
    assert list(store.keys()) == []


@pytest.mark.parametrize("prefix", ["../", "a/../b", "/"])
def test_prefixes_that_leave_the_root_are_refused(store: Store, prefix: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        list(store.keys(prefix))


def test_a_reader_never_sees_a_part(store: Store, tmp_path: Path) -> None:
    whole = [bytes([letter]) * 300_000 for letter in b"ab"]
    files = [tmp_path / "a", tmp_path / "b"]
    for file, data in zip(files, whole, strict=True):
        file.write_bytes(data)
    store.put_file("key", files[0])
    ended = threading.Event()

    def write() -> None:
        for number in range(30):
            store.put_file("key", files[number % 2])
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not ended.is_set():
        data = store.get_bytes("key")
        assert data in whole
        seen.add(data[:1])
    writer.join()
    assert seen


def test_only_a_local_store_has_local_paths(store: Store) -> None:
    store.put_bytes("a/b", b"x")
    path = store.local("a/b")
    if isinstance(store, LocalStore):
        assert path is not None
        assert path.read_bytes() == b"x"
    else:
        assert path is None


def test_a_store_says_where_it_is_and_nothing_secret(store: Store) -> None:
    assert store.uri in repr(store)
    assert SECRET not in f"{store!r} {vars(store)}"
    assert ACCESS not in f"{store!r} {vars(store)}"
    assert store.uri.startswith(("s3://", "/"))
