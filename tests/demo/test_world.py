"""The miniature world as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch

from dama.demo import stage
from dama.demo.world import make_world
from dama.errors import TrainingError
from dama.spec.load import parse
from dama.spec.run import RunSpec
from dama.spec.world import WorldSpec
from dama.stages.base import plan, run_stage

SMALL = {
    "clip_steps": 1,
    "llava_steps": 1,
    "captions": 40,
    "scenes": 8,
    "samples": 3,
    "held_out": 5,
}


def a_run(folder: Path, **world: int) -> RunSpec:
    sizes = [f"world.{name}={value}" for name, value in {**SMALL, **world}.items()]
    text = "model: tiny\nstorage: {uri: store}\nevaluate: {benchmarks: []}\n"
    return parse(text, sizes, folder=folder)


def parts_of(folder: Path, threads: int) -> dict[str, Any]:
    """Run the stage as a caller with so many threads; return its commit as JSON."""
    spec = a_run(folder)
    whole = plan(spec, (stage.STAGE,))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        commit = run_stage(spec, whole["world"], whole).commit
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    return dict(json.loads(commit.to_bytes()))


def test_a_world_made_twice_is_the_same_to_the_byte(tmp_path: Path) -> None:
    first, second = parts_of(tmp_path / "a", 1), parts_of(tmp_path / "b", 2)
    assert first == second
    assert {name.split("/")[0] for name in first["parts"]} == {
        "benchmark.parquet",
        "clip",
        "llava",
        "preferences.parquet",
    }
    assert first["meta"]["held_out"] == 5


def test_training_leaves_the_callers_random_state_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    make_world(WorldSpec(**SMALL), tmp_path)
    torch.testing.assert_close(torch.rand(3), wanted, rtol=0, atol=0)


def test_no_picture_is_in_both_preferences_and_benchmark(small_world: Path) -> None:
    asked = pq.read_table(small_world / "preferences.parquet").column("image").to_pylist()
    held_out = pq.read_table(small_world / "benchmark.parquet").column("image").to_pylist()
    assert len(set(held_out)) == len(held_out) == 12
    assert not {row["bytes"] for row in asked if row is not None} & set(held_out)


def test_held_out_scenes_do_not_depend_on_the_sizes_of_training(tmp_path: Path) -> None:
    for name, more in (("a", {}), ("b", {"captions": 50, "scenes": 9})):
        (tmp_path / name).mkdir()
        make_world(WorldSpec(**{**SMALL, **more}), tmp_path / name)
    files = [(tmp_path / name / "benchmark.parquet").read_bytes() for name in "ab"]
    assert files[0] == files[1]


def test_a_world_without_a_preference_says_so(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"1 captions of each of 8 scenes gave no preference"):
        make_world(WorldSpec(**{**SMALL, "samples": 1}), tmp_path)


@pytest.mark.parametrize(("name", "value"), [("seed", 1), ("llava_steps", 2), ("held_out", 6)])
def test_every_size_of_the_world_is_in_its_name(tmp_path: Path, name: str, value: int) -> None:
    old, new = (
        plan(spec, (stage.STAGE,))["world"] for spec in (a_run(tmp_path), a_run(tmp_path, **{name: value}))
    )
    assert old.digest != new.digest


def test_runs_without_a_world_have_no_such_stage(tmp_path: Path) -> None:
    spec = parse("model: llava-7b\n", folder=tmp_path)
    assert plan(spec, (stage.STAGE,)) == {}


def test_small_world_has_every_part(small_world: Path) -> None:
    assert sorted(path.name for path in small_world.iterdir()) == [
        "benchmark.parquet",
        "clip",
        "llava",
        "preferences.parquet",
    ]
    assert pq.read_table(small_world / "preferences.parquet").num_rows == 48
