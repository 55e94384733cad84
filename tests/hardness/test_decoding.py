"""Images are decoded ahead, by several threads, in order, and never too many."""

from __future__ import annotations

import threading

import pytest
import torch

from dama.hardness.decoding import decoded, decoders


def test_batches_come_in_order_whatever_takes_long() -> None:
    late = threading.Event()

    def load(key: str) -> torch.Tensor:
        if key == "0":
            assert late.wait(10)  # the first is done only after the third
        if key == "2":
            late.set()
        return torch.tensor([float(key)])

    found = list(decoded([str(n) for n in range(7)], load, batch=3, threads=3))
    assert [keys for keys, _ in found] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert [pixels.flatten().tolist() for _, pixels in found] == [[0, 1, 2], [3, 4, 5], [6]]


def test_one_batch_ahead_is_decoded_and_no_more() -> None:
    begun: list[str] = []

    def load(key: str) -> torch.Tensor:
        begun.append(key)
        return torch.zeros(1)

    batches = decoded([str(n) for n in range(100)], load, batch=4, threads=2)
    next(batches)
    next(batches)
    assert len(begun) <= 12
    batches.close()  # type: ignore[attr-defined]
    assert len(begun) <= 12


def test_a_fault_comes_out_and_ends_the_decoding() -> None:
    begun: list[str] = []

    def load(key: str) -> torch.Tensor:
        begun.append(key)
        if key == "5":
            raise ValueError("broken")
        return torch.zeros(1)

    with pytest.raises(ValueError, match="broken"):
        list(decoded([str(n) for n in range(1000)], load, batch=2, threads=2))
    assert len(begun) <= 10
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("dama-decode")]


def test_nothing_to_decode_is_no_fault() -> None:
    assert list(decoded([], lambda key: torch.zeros(1), batch=2, threads=1)) == []
    assert decoders() >= 1
