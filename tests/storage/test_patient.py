"""A store that answered before is waited for, so long and no longer; one that never did is not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dama.errors import ObjectMissing, StoreUnreachable
from dama.spec.storage import StorageSpec
from dama.storage.base import Progress, Store
from dama.storage.local import LocalStore
from dama.storage.patient import PatientStore
from dama.storage.uri import open_store


class _Away(LocalStore):
    """A folder that does not answer the next `away` times."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.away = 0
        self.keys_until_away: int | None = None

    def _answer(self) -> None:
        if self.away:
            self.away -= 1
            raise StoreUnreachable("s3.example does not answer")

    def put_bytes(self, key: str, data: bytes) -> None:
        self._answer()
        super().put_bytes(key, data)

    def put_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        self._answer()
        super().put_file(key, path, progress)

    def get_bytes(self, key: str) -> bytes:
        self._answer()
        return super().get_bytes(key)

    def get_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        self._answer()
        super().get_file(key, path, progress)

    def size(self, key: str) -> int | None:
        self._answer()
        return super().size(key)

    def keys(self, prefix: str = "") -> Iterator[str]:
        for i, key in enumerate(super().keys(prefix)):
            if i == self.keys_until_away:
                self.keys_until_away = None
                raise StoreUnreachable("s3.example does not answer")
            yield key

    def delete(self, key: str) -> None:
        self._answer()
        super().delete(key)


class _Time:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def pause(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def below(tmp_path: Path) -> _Away:
    LocalStore(tmp_path).put_bytes("a", b"one")
    return _Away(tmp_path)


def _patient(below: Store, time: _Time, seconds: float = 60.0) -> PatientStore:
    return PatientStore(below, seconds, pause=time.pause, clock=lambda: time.now)


@pytest.mark.parametrize(
    "act",
    [
        lambda store, path: store.put_bytes("b", b"two"),
        lambda store, path: store.put_file("b", path),
        lambda store, path: store.get_bytes("a") == b"one",
        lambda store, path: store.get_file("a", path),
        lambda store, path: store.size("a") == 3,
        lambda store, path: store.delete("a"),
    ],
)
def test_an_outage_holds_work_up_and_does_not_end_it(
    below: _Away,
    tmp_path: Path,
    act: Callable[[Store, Path], bool | None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    time = _Time()
    store = _patient(below, time)
    assert store.size("a") == 3
    (tmp_path / "file").write_bytes(b"two")
    below.away = 5
    assert act(store, tmp_path / "file") is not False
    assert below.away == 0
    assert 5 * 0.25 < time.now - 1000 < 60
    (warning,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert "60 s at most: s3.example does not answer" in warning.getMessage()


def test_an_outage_that_lasts_longer_is_told(below: _Away) -> None:
    time = _Time()
    store = _patient(below, time)
    store.size("a")
    below.away = 10_000
    with pytest.raises(StoreUnreachable, match=r"s3\.example"):
        store.get_bytes("a")
    assert 60 <= time.now - 1000 <= 70  # the patience, and at most one pause more


def test_each_outage_has_the_whole_patience(below: _Away) -> None:
    time = _Time()
    store = _patient(below, time)
    for _ in range(5):
        below.away = 0
        store.size("a")
        before = time.now
        below.away = 6  # at least 12.75 s each
        store.size("a")
        assert time.now - before > 12


def test_a_store_that_never_answered_is_not_waited_for(below: _Away) -> None:
    time = _Time()
    below.away = 1
    with pytest.raises(StoreUnreachable):
        _patient(below, time).get_bytes("a")
    assert time.now == 1000


def test_that_nothing_lies_there_is_told_at_once_and_is_an_answer(below: _Away) -> None:
    time = _Time()
    store = _patient(below, time)
    with pytest.raises(ObjectMissing):
        store.get_bytes("nothing")
    assert time.now == 1000
    below.away = 1
    assert store.get_bytes("a") == b"one"


def test_a_list_goes_on_behind_its_last_key(below: _Away, tmp_path: Path) -> None:
    for name in ("b/1", "b/2", "c"):
        LocalStore(tmp_path).put_bytes(name, b"x")
    store = _patient(below, _Time())
    store.size("a")
    below.keys_until_away = 2
    assert list(store.keys()) == ["a", "b/1", "b/2", "c"]
    assert list(store.keys("b/")) == ["b/1", "b/2"]


def test_a_bucket_is_waited_for_as_the_run_file_says(tmp_path: Path) -> None:
    spec = StorageSpec(uri="s3://bucket/prefix", patience_seconds=7)
    store = open_store(spec)
    assert isinstance(store, PatientStore)
    assert store.uri == "s3://bucket/prefix"
    assert store.seconds == 7
    assert isinstance(open_store(StorageSpec(uri=str(tmp_path))), LocalStore)
