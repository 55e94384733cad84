"""Predicted bytes of a checkpoint against those of a real training's."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "train"))

from engine_bytes import small_case
from trainings import run_training, small_training

from dama.plan.forecast import checkpoint_bytes, model_bytes
from dama.plan.sizes import shape_in

_A_FILE, _AT_ALL = 16 * 1024, 24 * 1024
"""Bytes that are no weights: names, shapes, offsets. Less than the smallest share that could be forgotten."""


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "ranks"), [(0, 1), (1, 2), (3, 2)])
def test_a_checkpoint_takes_what_was_predicted(tmp_path: Path, stage: int, ranks: int) -> None:
    folder = small_training(tmp_path)
    layout = {"ranks": ranks, "per_device": 16 // ranks, "zero": stage}
    result = run_training(folder, tmp_path / "out", steps=2, save_every_steps=2, keep_last=1, **layout)
    assert result.returncode == 0, result.log
    shape = shape_in(folder / "llava")
    case = replace(small_case(stage, ranks, "float32", False), shape=shape)
    files = list((tmp_path / "out").rglob("*_states.pt"))
    found, expected = sum(file.stat().st_size for file in files), checkpoint_bytes(case)
    assert expected <= found <= expected + _A_FILE * len(files) + _AT_ALL


def test_a_checkpoint_and_a_model_of_7b() -> None:
    from runs import case

    trained = 6_759_919_616
    assert checkpoint_bytes(case("llava-7b")) == 12 * trained
    assert checkpoint_bytes(case("llava-7b", "train.zero.stage=1")) == 14 * trained
    assert model_bytes(case("llava-7b")) == 2 * 7_063_427_072
