"""Uploads: training goes on meanwhile, one failure is a warning, two or the last one end it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dama.errors import StoreUnreachable
from dama.storage.local import LocalStore
from dama.train.checkpoint import Checkpoints
from dama.train.resume import newest
from dama.train.upload import Uploads


class FailingStore(LocalStore):
    """Refuses files of the steps it is told to."""

    def __init__(self, root: Path, *fails: int) -> None:
        super().__init__(root)
        self._fails = [f"step-{step:06d}/" for step in fails]

    def put_file(self, key: str, path: Path, progress: object = None) -> None:
        if any(step in key for step in self._fails):
            raise StoreUnreachable("s3.example does not answer")
        super().put_file(key, path)


class SlowStore(LocalStore):
    """Holds every file back until it is told to go on."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.go_on = threading.Event()

    def put_file(self, key: str, path: Path, progress: object = None) -> None:
        assert self.go_on.wait(30)
        super().put_file(key, path)


class Saving:
    """What a training does at a checkpoint, and nothing else of it."""

    def __init__(self, store: LocalStore, scratch: Path) -> None:
        self.checkpoints = Checkpoints(store, "train", 2)
        self.uploads, self._scratch = Uploads(self.checkpoints), scratch

    def save(self, step: int) -> Path:
        self.uploads.settle()
        folder = self._scratch / f"step-{step}"
        folder.mkdir(parents=True)
        (folder / "state").write_text(f"state of {step}")
        self.uploads.begin(step, folder, {"ranks": 1})
        return folder


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[SlowStore]:
    store = SlowStore(tmp_path / "store")
    yield store
    store.go_on.set()


def test_training_goes_on_while_a_checkpoint_travels(slow: SlowStore, tmp_path: Path) -> None:
    saving = Saving(slow, tmp_path / "scratch")
    folder = saving.save(5)  # returns although no byte can be stored yet
    assert saving.checkpoints.steps() == []
    slow.go_on.set()
    saving.uploads.settle(last=True)
    assert saving.checkpoints.steps() == [5]
    assert not folder.exists(), "the local copy is removed"


def test_the_next_checkpoint_waits_for_the_one_in_flight(slow: SlowStore, tmp_path: Path) -> None:
    saving = Saving(slow, tmp_path / "scratch")
    saving.save(5)
    second = threading.Thread(target=saving.save, args=(10,))
    second.start()
    time.sleep(0.1)
    assert not (tmp_path / "scratch" / "step-10").exists()
    slow.go_on.set()
    second.join(30)
    saving.uploads.settle(last=True)
    assert saving.checkpoints.steps() == [5, 10]


def test_one_failure_is_a_warning_and_the_next_checkpoint_takes_its_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saving = Saving(FailingStore(tmp_path / "store", 10, 20), tmp_path / "scratch")
    with caplog.at_level(logging.WARNING):
        for step in (5, 10, 15, 20, 25):
            folder = saving.save(step)
        saving.uploads.settle(last=True)
    assert caplog.messages == [
        f"the checkpoint of step {step} is not in the store: s3.example does not answer" for step in (10, 20)
    ]
    assert saving.checkpoints.steps() == [15, 25]
    assert not folder.exists()


def test_two_failures_in_a_row_end_the_training(tmp_path: Path) -> None:
    saving = Saving(FailingStore(tmp_path / "store", 10, 15), tmp_path / "scratch")
    for step in (5, 10, 15):
        saving.save(step)
    with pytest.raises(StoreUnreachable, match=r"s3\.example does not answer"):
        saving.save(20)
    assert saving.checkpoints.steps() == [5]


def test_a_failure_of_the_last_one_ends_the_training(tmp_path: Path) -> None:
    saving = Saving(FailingStore(tmp_path / "store", 10), tmp_path / "scratch")
    saving.save(5)
    saving.save(10)
    with pytest.raises(StoreUnreachable):
        saving.uploads.settle(last=True)


def test_a_training_that_ends_with_an_error_still_leaves_its_last_checkpoint(tmp_path: Path) -> None:
    saving = Saving(LocalStore(tmp_path / "store"), tmp_path / "scratch")
    saving.save(5)
    saving.uploads.finish_alone()
    found = newest(saving.checkpoints, tmp_path / "resume")
    assert found is not None
    assert found.step == 5
