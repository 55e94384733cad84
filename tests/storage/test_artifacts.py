"""Artifacts on every store: whole, verified, or absent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dama.errors import CorruptArtifact
from dama.storage.base import Progress, Store
from dama.storage.commit import (
    COMMIT,
    Commit,
    Part,
    delete_artifact,
    fetch_artifact,
    read_commit,
    write_artifact,
)

PREFIX = "artifacts/facts/0123"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    (folder / "sub").mkdir(parents=True)
    (folder / "facts.jsonl").write_bytes(b'{"id": "1"}\n')
    (folder / "sub" / "images.bin").write_bytes(bytes(range(200)))
    (folder / "empty").touch()
    return folder


def test_parts_and_meta_come_back(store: Store, made: Path, tmp_path: Path) -> None:
    written = write_artifact(store, PREFIX, made, {"rows": 1, "mean": 0.25})
    commit = read_commit(store, PREFIX)
    assert commit == written
    assert commit is not None
    assert commit.meta == {"rows": 1, "mean": 0.25}
    assert commit.parts["empty"] == Part(
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 0
    )
    folder = fetch_artifact(store, PREFIX, commit, tmp_path / "scratch")
    for name in ("facts.jsonl", "sub/images.bin", "empty"):
        assert (folder / name).read_bytes() == (made / name).read_bytes()


def test_equal_work_leaves_equal_bytes(store: Store, made: Path) -> None:
    write_artifact(store, PREFIX, made, {"b": 1, "a": [1, 2]})
    write_artifact(store, PREFIX + "4", made, {"a": [1, 2], "b": 1})
    assert store.get_bytes(f"{PREFIX}/{COMMIT}") == store.get_bytes(f"{PREFIX}4/{COMMIT}")


class _Watched:
    """A store that notes the order of writes and can stop in the middle, as a killed process does."""

    def __init__(self, store: Store, stop_after: int = 99) -> None:
        self._store, self.written, self._stop_after = store, list[str](), stop_after
        self.uri = store.uri

    def _note(self, key: str) -> None:
        if len(self.written) >= self._stop_after:
            raise KeyboardInterrupt
        self.written.append(key)

    def put_bytes(self, key: str, data: bytes) -> None:
        self._note(key)
        self._store.put_bytes(key, data)

    def put_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        self._note(key)
        self._store.put_file(key, path, progress)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def test_the_commit_is_written_last(store: Store, made: Path) -> None:
    watched = _Watched(store)
    write_artifact(watched, PREFIX, made, {})  # type: ignore[arg-type]
    assert watched.written[-1] == f"{PREFIX}/{COMMIT}"
    assert len(watched.written) == 4


@pytest.mark.parametrize("after", [0, 1, 3])
def test_an_interrupted_artifact_is_absent_and_can_be_made_again(
    store: Store, made: Path, after: int, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_artifact(_Watched(store, after), PREFIX, made, {})  # type: ignore[arg-type]
    assert read_commit(store, PREFIX) is None
    commit = write_artifact(store, PREFIX, made, {})
    assert read_commit(store, PREFIX) == commit
    fetch_artifact(store, PREFIX, commit, tmp_path)


def test_a_reader_ignores_what_the_commit_does_not_name(store: Store, made: Path, tmp_path: Path) -> None:
    store.put_bytes(f"{PREFIX}/left-over", b"of an earlier try")
    commit = write_artifact(store, PREFIX, made, {})
    assert "left-over" not in commit.parts
    if store.local(PREFIX) is None:
        folder = fetch_artifact(store, PREFIX, commit, tmp_path)
        assert not (folder / "left-over").exists()


@pytest.mark.parametrize("change", ["flipped", "short", "missing"])
def test_a_changed_part_is_found(store: Store, made: Path, change: str, tmp_path: Path) -> None:
    commit = write_artifact(store, PREFIX, made, {})
    key, data = f"{PREFIX}/sub/images.bin", bytearray(store.get_bytes(f"{PREFIX}/sub/images.bin"))
    if change == "flipped":
        data[100] ^= 1
        store.put_bytes(key, bytes(data))
    elif change == "short":
        store.put_bytes(key, bytes(data[:-1]))
    else:
        store.delete(key)
    said = {"flipped": "sha256 differs", "short": "199 bytes", "missing": "missing"}[change]
    with pytest.raises(CorruptArtifact, match=said) as caught:
        fetch_artifact(store, PREFIX, commit, tmp_path)
    assert "sub/images.bin" in str(caught.value)


def test_a_stale_copy_is_not_trusted(store: Store, made: Path, tmp_path: Path) -> None:
    commit = write_artifact(store, PREFIX, made, {})
    folder = fetch_artifact(store, PREFIX, commit, tmp_path)
    (folder / "facts.jsonl").write_bytes(b'{"id": "2"}\n')
    with pytest.raises(CorruptArtifact):
        fetch_artifact(store, PREFIX, commit, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not json",
        b"[]",
        b'{"parts": {}}',
        b'{"parts": {"a": {"size": 1}}, "meta": {}}',
        b'{"parts": {"../../etc/passwd": {"sha256": "0", "size": 1}}, "meta": {}}',
        b'{"parts": {"a": {"sha256": "0", "size": 1}}, "meta": 3}',
    ],
)
def test_a_broken_commit_is_corrupt_not_absent(store: Store, text: bytes) -> None:
    store.put_bytes(f"{PREFIX}/{COMMIT}", text)
    with pytest.raises(CorruptArtifact, match=COMMIT):
        read_commit(store, PREFIX)


def test_deleting_takes_the_commit_first_and_everything_else(store: Store, made: Path) -> None:
    write_artifact(store, PREFIX, made, {})
    store.put_bytes(f"{PREFIX}9/kept", b"x")
    delete_artifact(store, PREFIX)
    assert list(store.keys()) == [f"{PREFIX}9/kept"]


def test_an_artifact_may_have_no_parts(store: Store, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    commit = write_artifact(store, PREFIX, tmp_path / "nothing", {"n": 0})
    assert fetch_artifact(store, PREFIX, commit, tmp_path / "scratch").is_dir()


def test_no_part_can_pose_as_the_commit(store: Store, made: Path) -> None:
    (made / COMMIT).write_text("{}")
    with pytest.raises(ValueError, match=COMMIT):
        write_artifact(store, PREFIX, made, {})
    assert list(store.keys()) == []


def test_digests_name_contents() -> None:
    one, other = Commit({"a": Part("00", 1)}, {}), Commit({"a": Part("01", 1)}, {})
    assert one.digest() != other.digest()
    assert one.digest() == Commit.from_bytes(one.to_bytes(), "here").digest()
    assert json.loads(one.to_bytes()) == {"parts": {"a": {"sha256": "00", "size": 1}}, "meta": {}}
