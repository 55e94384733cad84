"""Whole trainings by DeepSpeed: equal at every layout, resumed to the bit, stopped by what is not finite."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from trainings import Result, assert_equal, run_training, small_training

from dama.records import ReferenceLogps
from dama.train.reference import Reference, write_reference

STEPS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_training(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def two_ranks(folder: Path) -> Result:
    """DAMA on two ranks of eight, ZeRO 1, never interrupted."""
    return _done(
        run_training(folder, folder / "two", ranks=2, per_device=8, zero=1, steps=STEPS, save_every_steps=2)
    )


def _done(result: Result) -> Result:
    assert result.returncode == 0, result.log
    return result


QUICK = [
    {"ranks": 1, "per_device": 16, "zero": 0},
    {"ranks": 2, "per_device": 2, "accumulation": 4, "zero": 3},
]
SLOW = [
    {"ranks": 4, "per_device": 4, "zero": 1},
    {"ranks": 4, "per_device": 4, "zero": 3},
    {"ranks": 2, "per_device": 2, "accumulation": 4, "zero": 2},
]


@pytest.mark.parametrize(
    "layout", [*QUICK, *(pytest.param(layout, marks=pytest.mark.slow) for layout in SLOW)], ids=str
)
def test_every_layout_takes_the_same_steps(folder: Path, two_ranks: Result, layout: dict[str, Any]) -> None:
    out = folder / "-".join(str(value) for value in layout.values())
    assert_equal(_done(run_training(folder, out, steps=STEPS, **layout)), two_ranks)


WAYS: list[dict[str, Any]] = [
    {"passes": "two"},
    {"row_tokens": 100},
    {"gradient_checkpointing": True},  # auto: memory is there, so two passes that keep their activations
]


@pytest.mark.parametrize(
    "way", [WAYS[0], *(pytest.param(way, marks=pytest.mark.slow) for way in WAYS[1:])], ids=str
)
def test_every_way_through_a_batch_takes_the_same_steps(
    folder: Path, two_ranks: Result, way: dict[str, Any]
) -> None:
    out = folder / "-".join(way)
    assert_equal(
        _done(run_training(folder, out, steps=STEPS, ranks=2, per_device=8, zero=1, **way)), two_ranks
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", [{"reading": "release"}, {"model_aware": False}, {"filter": "random"}], ids=str
)
def test_every_method_takes_the_same_steps_at_two_layouts(folder: Path, method: dict[str, Any]) -> None:
    name = "-".join(str(value) for value in method.values())
    one = run_training(folder, folder / f"one-{name}", method=method, steps=STEPS)
    four = run_training(folder, folder / f"four-{name}", method=method, steps=STEPS, ranks=2, per_device=4,
                        accumulation=2, zero=2)  # fmt: skip
    assert_equal(_done(one), _done(four))


def test_a_killed_training_goes_on_to_the_bit(folder: Path, two_ranks: Result) -> None:
    settings: dict[str, Any] = {"ranks": 2, "per_device": 8, "zero": 1, "steps": STEPS, "save_every_steps": 2}
    killed = run_training(folder, folder / "killed", kill_after=4, **settings)
    assert killed.returncode != 0
    assert not killed.metrics
    resumed = _done(run_training(folder, folder / "killed", **settings))
    assert resumed.resumed_from == 4
    assert resumed.metrics == two_ranks.metrics
    assert resumed.gaps == two_ranks.gaps
    assert resumed.weights.read_bytes() == two_ranks.weights.read_bytes()


def test_the_first_loss_is_that_of_the_gaps_by_hand(two_ranks: Result) -> None:
    step, gaps = two_ranks.metrics[0], two_ranks.gaps[0]
    losses = [
        math.log1p(math.exp(-beta * gap))
        for gap, beta, kept in zip(gaps["gaps"], gaps["beta"], gaps["kept"], strict=True)
        if kept
    ]
    assert len(losses) == 12
    assert step["loss"] == pytest.approx(sum(losses) / 12, rel=1e-6)


def test_the_learning_rate_warms_up_and_falls_as_a_cosine(two_ranks: Result) -> None:
    # one warm-up step of six, then five along half a cosine
    wanted = [0.0, *(1e-3 * 0.5 * (1 + math.cos(math.pi * step / 5)) for step in range(5))]
    assert [row["learning_rate"] for row in two_ranks.metrics] == pytest.approx(wanted)


def test_the_running_mean_moves_once_a_step(two_ranks: Result) -> None:
    mean = 0.0
    for row in two_ranks.metrics:
        assert row["running_mean"] == pytest.approx(mean, rel=1e-12)
        mean = 0.9 * mean + 0.1 * row["batch_mean"]


def test_training_moves_the_language_model_and_not_the_vision_tower(folder: Path, two_ranks: Result) -> None:
    before, after = load_file(folder / "llava" / "model.safetensors"), load_file(two_ranks.weights)
    vision = [name for name in before if "vision_tower" in name]
    assert vision
    matched = {name: after[next(key for key in after if key.endswith(name))] for name in vision}
    assert all(torch.equal(before[name], weight) for name, weight in matched.items())
    head = next(name for name in before if name.endswith("lm_head.weight"))
    assert not torch.equal(before[head], after[next(key for key in after if key.endswith("lm_head.weight"))])


def test_a_gap_that_is_not_finite_stops_the_training(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    for part in ("llava", "data"):
        shutil.copytree(folder / part, broken / part)
    (broken / "reference").mkdir()
    alphas = json.loads((folder / "alpha.json").read_text())
    (broken / "alpha.json").write_text(json.dumps(alphas))
    rows = [ReferenceLogps(id, float("nan") if id == "p7" else -30.0, -31.0) for id in alphas]
    write_reference(broken / "reference", Reference(rows, [], 0))
    result = run_training(broken, tmp_path / "out", steps=4)
    assert result.returncode != 0
    assert "the gap of 1 preferences is not finite: p7" in result.log


def test_another_number_of_processes_is_refused(folder: Path, tmp_path: Path) -> None:
    result = run_training(folder, tmp_path / "out", ranks=2, per_device=8, processes=1)
    assert result.returncode != 0
    assert "1 processes; wanted train.ranks = 2" in result.log
