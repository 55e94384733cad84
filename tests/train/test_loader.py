"""Reading ahead: the same items with and without workers, and on resuming nothing twice."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import skip_first_batches
from trainings import small_training

from dama.data.table import PreferenceTable
from dama.model.encode import Encoder
from dama.model.load import load_model
from dama.train.batches import Batches, RankShare
from dama.train.dataset import Item, Preferences
from dama.train.loader import loader, workers_of
from dama.train.rng import put_back_rng, read_rng, save_rng


class Reading(Preferences):
    """Notes which rows it was asked for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.read: list[int] = []

    def __getitem__(self, index: int) -> Item:
        self.read.append(index)
        return super().__getitem__(index)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    folder = small_training(tmp_path_factory.mktemp("training"))
    return Reading(PreferenceTable(folder / "data"), Encoder(load_model(folder / "llava").processor, 64))


def _share() -> RankShare:
    return RankShare(Batches(40, 16, seed=0), steps=6, rank=1, world=2)


def _ids(batches: Any) -> list[list[str]]:
    return [[item.encoded.id for item in batch] for batch in batches]


def test_workers_read_the_same_in_the_same_order(dataset: Reading) -> None:
    alone = _ids(loader(dataset, _share(), 0, 0))
    assert len(alone) == 6
    assert _ids(loader(dataset, _share(), 2, 0)) == alone


def test_a_resumed_run_skips_steps_without_reading_them(dataset: Reading) -> None:
    """The Trainer resumes by accelerate's `skip_first_batches`."""
    share = _share()
    dataset.read.clear()
    rest = _ids(skip_first_batches(loader(dataset, share, 0, 0), 4))
    assert dataset.read == [index for batch in list(share)[4:] for index in batch]
    assert rest == _ids(loader(dataset, share, 0, 0))[4:]
    assert _ids(skip_first_batches(loader(dataset, share, 2, 0), 4)) == rest


def test_the_number_of_workers_leaves_the_generators_alone(dataset: Reading) -> None:
    states = []
    for workers in (0, 2):
        torch.manual_seed(3)
        next(iter(loader(dataset, _share(), workers, 0)))
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_a_signal_to_the_ranks_group_leaves_the_workers_at_work(dataset: Reading) -> None:
    """As torchrun sends it; in a fork with a group of its own, for the test's own must not hear it."""
    rank = os.fork()
    if rank == 0:
        read = 99
        try:
            os.setpgid(0, 0)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            batches = iter(loader(dataset, _share(), 2, 0))
            next(batches)
            os.killpg(0, signal.SIGTERM)
            read = len(list(batches))
        finally:
            os._exit(read)  # never back into pytest
    assert os.waitstatus_to_exitcode(os.waitpid(rank, 0)[1]) == 5


def test_two_workers_beside_a_gpu_and_none_on_a_cpu_unless_told() -> None:
    assert [workers_of(None, "cuda"), workers_of(None, "cpu"), workers_of(3, "cpu")] == [2, 0, 3]


def test_generators_are_put_back_as_they_were(tmp_path: Path) -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.standard_normal()), float(torch.rand(1))

    random.gauss(0, 1)
    np.random.standard_normal()  # leaves a second number in NumPy's pocket
    save_rng(tmp_path / "rng.pt")
    drawn = [draw() for _ in range(3)]
    put_back_rng(read_rng(tmp_path / "rng.pt"))
    assert [draw() for _ in range(3)] == drawn
