"""`dama evaluate`: answers that are there are scored and printed; what is missing or wrong is one line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from amber_folder import TEXTS, write_amber
from commands import dama

from dama.demo.stage import STAGE as WORLD
from dama.evaluate.answers import write_answers
from dama.records import Answer
from dama.spec.load import load
from dama.spec.run import RunSpec
from dama.spec.variant import with_benchmarks
from dama.stages.base import Planned, plan
from dama.stages.freeze import freeze
from dama.stages.registry import STAGES
from dama.storage.commit import write_artifact
from dama.storage.uri import open_store


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run file that measures a small AMBER and the miniature world; the world is committed, and empty."""
    write_amber(tmp_path / "amber")
    benchmarks = [{"kind": "amber", "data": "amber"}, {"kind": "miniature"}]
    run = {
        "name": "small",
        "model": "tiny",
        "method": "dpo",
        "evaluate": {"benchmarks": benchmarks},
        "storage": {"uri": "store"},
    }
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(run))
    spec, whole = planned(file)
    write_artifact(open_store(spec.storage), whole["world"].prefix, empty(tmp_path), {})
    return file


def empty(folder: Path) -> Path:
    place = folder / "empty"
    place.mkdir(exist_ok=True)
    return place


def planned(file: Path, *kinds: str) -> tuple[RunSpec, dict[str, Planned]]:
    spec = freeze(with_benchmarks(load(file), kinds))
    return spec, plan(spec, (WORLD, *STAGES))


def answered(file: Path) -> RunSpec:
    """Commit a trained model and answers to AMBER before and after; return the run on AMBER alone."""
    spec, whole = planned(file, "amber")
    store, folder = open_store(spec.storage), file.parent
    write_artifact(store, whole["train"].prefix, empty(folder), {})
    for name in ("baseline-answers", "answers"):
        said = folder / name / "shards" / "00000"
        said.mkdir(parents=True)
        no = name == "answers"
        texts = {str(id): "No." if no and text in ("Yes", "yes") else text for id, text in TEXTS.items()}
        write_answers(said, "amber", [Answer(id, text) for id, text in texts.items()])
        meta = {"answers": {"amber": len(texts)}, "shards": 1}
        write_artifact(store, whole[name].prefix, folder / name, meta)
    return spec


def said_in(result: subprocess.CompletedProcess[str], code: int) -> str:
    assert result.returncode == code, result.stderr + result.stdout
    (line,) = result.stderr.splitlines()
    return line


def test_one_command_fills_table_four_and_a_second_call_only_prints(run: Path) -> None:
    spec = answered(run)
    command = ("evaluate", run, "--benchmark", "amber", "--against", "7b-dama")
    first = dama(*command)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.count("done in") == 2, "two scorings, and nothing else"
    again = dama(*command)
    assert "done in" not in again.stdout
    table = again.stdout[again.stdout.index("benchmark") :]
    assert first.stdout.endswith(table)
    words = " ".join(table.split())
    for text in (
        "before: amber, version 1, 10 questions",
        "47.75",
        "90.87",
        "The paper’s rows are the paper’s",
    ):
        assert text in words, table
    place = run.parent / "store" / "runs" / spec.name / "evaluation"
    assert f"written: {place}" in table
    assert {file.name for file in place.iterdir()} == {"result.json", "table.md", "table.html"}
    assert spec.name.startswith("small-"), "the run's own records stay as they are"
    assert not (run.parent / "store" / "runs" / "small").exists()


def test_results_can_be_json_and_go_where_they_are_wanted(run: Path) -> None:
    answered(run)
    out = run.parent / "out"
    result = dama("evaluate", run, "--benchmark", "amber", "--json", "--out", out)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found == json.loads((out / "result.json").read_text())
    assert [model["name"] for model in found["models"]] == ["before", "after dpo"]
    before, after = (model["results"][0] for model in found["models"])
    assert before["answers_digest"] != after["answers_digest"]
    assert before["data_digest"] == after["data_digest"]


def test_a_process_without_a_shard_of_its_own_leaves_the_rest_to_the_others(run: Path) -> None:
    spec = answered(run)
    whole, store = plan(spec, (WORLD, *STAGES)), open_store(spec.storage)
    for name in ("baseline-answers", "answers"):
        store.delete(f"{whole[name].prefix}/commit.json")
    result = dama("evaluate", run, "--benchmark", "amber", "--shard", "1/2")
    assert (result.returncode, result.stderr) == (0, "")
    for name in ("baseline-answers", "answers"):
        assert f"{name}: shard 0 of 1 is left to other processes" in result.stdout
    for name in ("baseline", "evaluate"):
        assert f"{name}: left to the process that makes the last shard" in result.stdout
    assert "measure" not in result.stdout


def test_a_run_that_is_not_trained_says_what_to_run(run: Path) -> None:
    line = said_in(dama("evaluate", run), 1)
    assert "stage 'answers' reads what stage 'train' makes" in line
    assert f"run `dama stage train {run}` first (or `dama run {run}` for all)" in line


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--benchmark", "mmhal"), 2, "--benchmark: 'mmhal'; wanted one of the run file's: amber, miniature"),
        (
            ("--model", "nothing"),
            2,
            "--model: 'nothing'; wanted a folder, or OWNER/NAME[@REVISION] of the hub",
        ),
        (("--model", "./none"), 1, "none is no folder"),
        (("--against", "70b"), 2, "'70b' is none of 7b, 7b-dpo"),
        (("--shard", "2/2"), 2, "--shard: '2/2'"),
        (("--set", "evaluate.benchmarks=[]"), 2, "evaluate.benchmarks: nothing is measured"),
    ],
)
def test_what_is_wrong_is_one_line(run: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    assert says in said_in(dama("evaluate", run, *arguments), code)
