"""`dama preprocess` and `--shard`: shares, pods by their number, and what is refused."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from clips import write_tiny_clip
from commands import dama
from PIL import Image

from dama.spec.load import load
from dama.stages.launch import environment
from dama.stages.registry import STAGES
from dama.stages.share import INDEX


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of four rows and a tiny random CLIP."""
    folder = tmp_path_factory.mktemp("made")
    write_tiny_clip(folder / "clip")
    Image.new("RGB", (32, 32), (9, 90, 9)).save(folder / "a.png")
    row = {"image": "a.png", "prompt": "What?", "chosen": "A red star.", "rejected": "A big circle."}
    rows = [{**row, "prompt": f"{number}?"} for number in range(4)]
    rows[2]["chosen"] = "A red star" + " and a blue star" * 60 + "."
    (folder / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    return folder


@pytest.fixture
def runfile(made: Path, tmp_path: Path) -> Path:
    run = {
        "name": "pods",
        "model": {"kind": "hub", "id": "owner/name", "revision": "a0" * 20},
        "data": {"kind": "jsonl", "uri": str(made / "rows.jsonl")},
        "hardness": {"scorer": {"engine": "open_clip", "model": "local", "weights": str(made / "clip")}},
        "storage": {"uri": "store"},
        "cluster": {"gpus": 4, "preprocess_pods": 2},
    }
    (tmp_path / "run.yaml").write_text(json.dumps(run))
    return tmp_path / "run.yaml"


def committed(runfile: Path) -> list[str]:
    """Return the stages with an artifact."""
    return sorted(path.parts[-3] for path in (runfile.parent / "store").glob("artifacts/*/*/commit.json"))


def only_error(result: subprocess.CompletedProcess[str], code: int) -> str:
    assert result.returncode == code, result.stderr
    (line,) = result.stderr.splitlines()
    return line


def test_two_pods_by_their_numbers(runfile: Path) -> None:
    second = dama("preprocess", runfile, JOB_COMPLETION_INDEX="1")
    assert (second.returncode, second.stderr) == (0, "")
    assert "facts: split answers into facts (share 1/2)" in second.stdout
    assert "facts: shard 0 of 1 is left to other processes" in second.stdout
    assert "alpha: left to the process that makes the last shard" in second.stdout
    assert committed(runfile) == ["data"]
    first = dama("preprocess", runfile, JOB_COMPLETION_INDEX="0")
    assert first.returncode == 0, first.stderr
    assert committed(runfile) == ["alpha", "data", "facts", "scores"]
    again = dama("preprocess", runfile)
    assert again.stdout.count("reused") == 4
    one = dama("stage", "facts", runfile, "--shard", "1/2")
    assert (one.returncode, one.stdout) == (0, "facts: already there, reused\n")


def test_one_stage_takes_a_share_too(runfile: Path) -> None:
    assert dama("stage", "data", runfile, JOB_COMPLETION_INDEX="7").returncode == 0  # it has no shards
    one = dama("stage", "facts", runfile, JOB_COMPLETION_INDEX="1")
    assert (one.returncode, one.stdout) == (0, "facts: shard 0 of 1 is left to other processes\n")
    typed = dama("stage", "facts", runfile, "--shard", "0/3", JOB_COMPLETION_INDEX="1")
    assert typed.returncode == 0
    assert typed.stdout.startswith("facts: done in ")
    assert committed(runfile) == ["data", "facts"]


def test_a_run_without_hardness_has_its_data_read(runfile: Path) -> None:
    result = dama("preprocess", runfile, "--set", "hardness=null", "--set", "method=dpo")
    assert result.returncode == 0, result.stderr
    assert committed(runfile) == ["data"]


@pytest.mark.parametrize("shard", ["4/4", "-1/2", "x"])
@pytest.mark.parametrize("verb", [("preprocess",), ("stage", "facts")])
def test_a_share_that_is_none_is_refused(runfile: Path, verb: tuple[str, ...], shard: str) -> None:
    line = only_error(dama(*verb, runfile, "--shard", shard), 2)
    assert line.startswith(f"dama: error: command line: --shard: '{shard}'; wanted i/n with 0 <= i < n")
    assert not (runfile.parent / "store").exists()


def test_a_pod_too_many_is_refused(runfile: Path) -> None:
    line = only_error(dama("preprocess", runfile, JOB_COMPLETION_INDEX="2"), 2)
    assert "JOB_COMPLETION_INDEX: '2'; wanted a number below 2, which is cluster.preprocess_pods" in line


def test_a_stage_without_shards_takes_no_share(runfile: Path) -> None:
    line = only_error(dama("stage", "data", runfile, "--shard", "0/2"), 2)
    cut = "facts, scores, baseline-answers, answers"
    assert f"--shard: stage 'data' has no shards; wanted one of {cut}; leave it out" in line


@pytest.mark.slow
def test_a_failure_says_how_to_repeat_this_share(runfile: Path) -> None:
    refuse = "hardness.scorer.over_length=refuse"
    result = dama("preprocess", runfile, "--shard", "0/2", "--set", refuse)
    assert result.returncode == 1
    first, second = result.stderr.splitlines()
    assert "has a chosen fact of" in first
    typed = f"{runfile} --set {refuse} --shard 0/2"
    assert f"`dama stage scores {typed}` repeats it, `dama preprocess {typed}` goes on" in second
    assert committed(runfile) == ["data", "facts"]


def test_children_do_not_hear_the_pods_number(runfile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(INDEX, "1")
    spec = load(runfile)
    assert all(INDEX not in environment(stage, spec) for stage in STAGES)
