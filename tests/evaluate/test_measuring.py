"""Answers and what they are worth, before and after training, as artifacts of four stages."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dama.records import BenchmarkResult, Measure
from dama.spec.load import parse
from dama.spec.run import RunSpec
from dama.stages import answers, baseline, baseline_answers, evaluate
from dama.stages.base import Planned, Stage, plan, run_stage
from dama.storage.commit import write_artifact
from dama.storage.uri import open_store


def a_run(folder: Path, *overrides: str) -> RunSpec:
    sizes = (
        "evaluate.benchmarks=[{kind: miniature, scenes: 6}]",
        "evaluate.max_new_tokens=8",
        "evaluate.batch=4",
    )
    text = "model: tiny\nmethod: dpo\nstorage: {uri: store}\ntrain: {threads: 1}\n"
    return parse(text, [*sizes, *overrides], folder=folder)


def made_elsewhere(name: str, reads: tuple[str, ...] = ()) -> Stage:
    """A stage whose artifact a test puts there."""
    return Stage(name, 1, lambda spec: reads, lambda spec: name, lambda context: {}, name)


def planned(spec: RunSpec) -> dict[str, Planned]:
    asked = (baseline_answers.STAGE, baseline.STAGE, answers.STAGE, evaluate.STAGE)
    return plan(spec, (made_elsewhere("world"), made_elsewhere("train"), *asked))


def with_inputs(spec: RunSpec, small_world: Path, folder: Path) -> dict[str, Planned]:
    """Commit the small world, and its LLaVA as what training made of it."""
    store, whole = open_store(spec.storage), planned(spec)
    write_artifact(store, whole["world"].prefix, small_world, {})
    trained = folder / "trained"
    shutil.copytree(small_world / "llava", trained / "model")
    write_artifact(store, whole["train"].prefix, trained, {})
    return whole


def test_a_model_that_did_not_change_measures_the_same(small_world: Path, tmp_path: Path) -> None:
    spec = a_run(tmp_path)
    whole = with_inputs(spec, small_world, tmp_path)
    asked, before = (run_stage(spec, whole[name], whole) for name in ("baseline-answers", "baseline"))
    again, after = (run_stage(spec, whole[name], whole) for name in ("answers", "evaluate"))
    assert not before.reused
    assert asked.commit == again.commit
    assert asked.commit.meta == {"answers": {"miniature": 6}, "shards": 1}
    assert before.commit.parts.keys() == {"answers-miniature.jsonl", "results.json"}
    assert before.commit.parts == after.commit.parts
    assert before.commit.meta == after.commit.meta


def test_results_are_a_benchmark_result_and_answers_its_answers(small_world: Path, tmp_path: Path) -> None:
    spec = a_run(tmp_path)
    whole = with_inputs(spec, small_world, tmp_path)
    run_stage(spec, whole["baseline-answers"], whole)
    commit = run_stage(spec, whole["baseline"], whole).commit
    folder = tmp_path / "store" / whole["baseline"].prefix
    raw: dict[str, Any] = json.loads((folder / "results.json").read_text())
    assert raw == json.loads(json.dumps(commit.meta))
    (found,) = raw["results"]
    measures = tuple(Measure(**measure) for measure in found.pop("measures"))
    result = BenchmarkResult(measures=measures, **found)
    assert result.benchmark == "miniature"
    assert result.measure("response").n == 6
    lines = (folder / "answers-miniature.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"held-out-{i:05d}" for i in range(6)]


def test_nothing_is_measured_without_a_benchmark(tmp_path: Path) -> None:
    spec = a_run(tmp_path, "evaluate.benchmarks=[]")
    assert planned(spec).keys() == {"world", "train"}


def test_a_real_model_is_measured_without_a_world(tmp_path: Path) -> None:
    spec = a_run(tmp_path)
    inputs = {name: one.inputs for name, one in planned(spec).items()}
    assert inputs["baseline-answers"] == ("world",)
    assert inputs["baseline"] == ("world", "baseline-answers")
    assert inputs["answers"] == ("world", "train")
    assert inputs["evaluate"] == ("world", "answers")
    published = a_run(
        tmp_path, "evaluate.benchmarks=[{kind: amber, data: amber}]", "model={kind: hub, id: a/b}"
    )
    found = {name: one.inputs for name, one in planned(published).items()}
    assert found == {
        "world": (),
        "train": (),
        "baseline-answers": (),
        "baseline": ("baseline-answers",),
        "answers": ("train",),
        "evaluate": ("answers",),
    }


@pytest.mark.parametrize(
    ("override", "moves"),
    [
        ("evaluate.batch=2", False),
        ("train.learning_rate=1.0", False),
        ("evaluate={benchmarks: [{kind: miniature, scenes: 6}], max_new_tokens: 8, gpu_memory: 0.5}", False),
        ("evaluate.tensor_parallel=2", False),
        ("evaluate.engine=vllm", True),
        ("evaluate.max_new_tokens=9", True),
        ("evaluate.benchmarks=[{kind: miniature, scenes: 5}]", True),
    ],
)
def test_only_what_changes_answers_changes_the_name(tmp_path: Path, override: str, moves: bool) -> None:
    old, new = planned(a_run(tmp_path)), planned(a_run(tmp_path, override))
    for name in ("baseline-answers", "baseline", "answers", "evaluate"):
        assert (old[name].digest != new[name].digest) == moves


def test_stage_files_load_nothing_heavy() -> None:
    code = (
        "import sys, dama.demo.stage, dama.demo.run, dama.stages.registry, dama.cli.evaluate;"
        "print([name for name in ('torch', 'numpy', 'pyarrow', 'PIL') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
