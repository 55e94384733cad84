"""Stage `splitter`: when there is one, what names it, and that it is the same to the byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dama.demo.registry import STAGES
from dama.demo.run import write_run_file
from dama.errors import SpecError
from dama.spec.load import load, parse
from dama.spec.run import RunSpec
from dama.stages.base import plan, run_stage

FACTS = "hardness.facts={engine: vllm, model: tiny}"


def a_run(folder: Path, *overrides: str) -> RunSpec:
    return parse("model: tiny\nstorage: {uri: store}\n", overrides, folder=folder)


def test_only_runs_that_ask_the_miniature_worlds_own_model_have_it(tmp_path: Path) -> None:
    asked = plan(a_run(tmp_path, FACTS), STAGES)
    assert list(asked)[:4] == ["world", "splitter", "data", "facts"]
    assert asked["splitter"].inputs == ()
    assert asked["facts"].inputs == ("splitter", "data")
    assert "splitter" not in plan(a_run(tmp_path), STAGES)
    other = "hardness.facts={engine: vllm, model: qwen2.5-7b}"
    assert "splitter" not in plan(a_run(tmp_path, other), STAGES)


def test_its_name_is_of_seed_and_steps_and_moves_the_facts_not_the_world(tmp_path: Path) -> None:
    old = plan(a_run(tmp_path, FACTS), STAGES)
    for override, same in (
        ("world.splitter_steps=7", {"world", "data"}),
        ("world.llava_steps=7", {"splitter"}),
        ("world.seed=7", set()),
    ):
        new = plan(a_run(tmp_path, FACTS, override), STAGES)
        kept = {
            name for name in ("world", "splitter", "data", "facts") if new[name].digest == old[name].digest
        }
        assert kept == same


def test_without_a_world_the_run_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SpecError, match=r"hardness\.facts\.model: the miniature world, and the run file has no"
    ):
        parse(f"model: llava-7b\nhardness: {{facts: {FACTS.split('=')[1]}}}\n", folder=tmp_path)


def test_the_demos_run_file_can_choose_it(tmp_path: Path) -> None:
    spec = load(write_run_file(tmp_path, "dama", 3, "vllm"))
    assert plan(spec, STAGES)["facts"].inputs == ("splitter", "data")
    rules = load(write_run_file(tmp_path, "dama", 3))
    assert plan(rules, STAGES)["world"].digest == plan(spec, STAGES)["world"].digest


def commit_of(folder: Path, threads: int) -> dict[str, Any]:
    """Run the stage as a caller with so many threads; return its commit as JSON."""
    spec = a_run(folder, FACTS, "world.splitter_steps=2")
    whole = plan(spec, STAGES)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        commit = run_stage(spec, whole["splitter"], whole).commit
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    return dict(json.loads(commit.to_bytes()))


def test_made_twice_it_is_the_same_to_the_byte(tmp_path: Path) -> None:
    first, second = commit_of(tmp_path / "a", 1), commit_of(tmp_path / "b", 2)
    assert first == second
    assert {name.split("/")[0] for name in first["parts"]} == {"model"}
    assert first["meta"]["vocabulary"] == 512
    assert first["meta"]["weights"] == 459_392
