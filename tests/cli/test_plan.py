"""`dama plan`: a table, the same as JSON, and an exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import dama
from test_commands import only_error

from dama.plan.device import GPUS

TOO_LARGE = ("--set", "train.zero.stage=0")


@pytest.fixture
def runfile(tmp_path: Path) -> Path:
    file = tmp_path / "run.yaml"
    file.write_text("model: llava-7b\nmethod: dama\n")
    return file


def test_a_run_that_fits_is_shown_on_every_gpu(runfile: Path) -> None:
    result = dama("plan", runfile)
    assert (result.returncode, result.stderr) == (0, "")
    for word in (*GPUS, "optimizer state", "fits", "hours", "GPU-hours", "The paper took 7 h", "Assumed"):
        assert word in result.stdout
    assert "7.06 B parameters, 6.76 B trained" in result.stdout
    assert "does not fit" not in result.stdout


def test_one_that_does_not_fit_says_what_would_and_fails(runfile: Path) -> None:
    result = dama("plan", runfile, "--gpu", "a100-80", *TOO_LARGE)
    assert result.returncode == 1
    assert "does not fit" in result.stdout
    pasted = next(line for line in result.stdout.splitlines() if line.strip().startswith("--set"))
    assert dama("plan", runfile, "--gpu", "a100-80", *TOO_LARGE, *pasted.split()).returncode == 0


def test_json_says_what_the_table_says(runfile: Path) -> None:
    result = dama("plan", runfile, "--json", "--preferences", "1000", "--answer-tokens", "80")
    assert result.returncode == 0
    found = json.loads(result.stdout)
    assert list(found) == [
        "schema_version", "run", "fits", "parameters", "trained", "tokens", "preferences", "checkpoint_bytes",
        "model_bytes", "devices", "proposals",
    ]  # fmt: skip
    assert found["schema_version"] == 1
    assert found["preferences"] == 1000
    assert found["tokens"] == {"prompt": 640, "answer": 80, "longest_answer": 160}
    assert [device["device"] for device in found["devices"]] == list(GPUS)
    for device in found["devices"]:
        assert device["total_bytes"] == sum(device["bytes"].values())
        assert device["fits"] is (device["total_bytes"] <= device["capacity_bytes"])
        assert device["steps"] == 248
        assert device["gpu_hours"] == pytest.approx(4 * device["hours"])
    again = dama("plan", runfile, "--json", "--preferences", "1000", "--answer-tokens", "80")
    assert again.stdout == result.stdout


def test_json_of_one_that_does_not_fit_has_proposals(runfile: Path) -> None:
    result = dama("plan", runfile, "--json", "--gpu", "h100", *TOO_LARGE)
    assert result.returncode == 1
    found = json.loads(result.stdout)
    assert not found["fits"]
    assert found["proposals"][0]["set"][0].startswith("train.zero.stage=")


def test_the_datas_limit_and_efficiency_are_respected(runfile: Path) -> None:
    found = json.loads(dama("plan", runfile, "--json", "--set", "data.limit=160").stdout)
    assert found["preferences"] == 160
    assert found["devices"][0]["steps"] == 40
    fast, slow = (
        json.loads(dama("plan", runfile, "--json", "--efficiency", value).stdout)["devices"][0]
        for value in ("0.6", "0.3")
    )
    assert slow["compute_seconds"] == pytest.approx(2 * fast["compute_seconds"])


def test_the_miniature_run_is_planned_for_this_machine(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("model: tiny\n")
    result = dama("plan", file)
    assert (result.returncode, result.stderr) == (0, "")
    assert "GiB a rank" in result.stdout
    assert "200 steps of 16 preferences" in result.stdout
    assert "hours" not in result.stdout


def test_long_names_stay_within_a_hundred_columns(tmp_path: Path) -> None:
    file, folder = tmp_path / "run.yaml", tmp_path / "/".join(["a-folder-with-a-long-name"] * 6)
    folder.mkdir(parents=True)
    config = {"model_type": "llava", "text_config": {"num_hidden_layers": 120}}
    (folder / "config.json").write_text(json.dumps(config))
    name = "x" * 40
    file.write_text(f"name: {name}\nmodel: {{kind: local, path: {folder}}}\ndata: {{kind: jsonl, uri: x}}\n")
    for extra in ((), TOO_LARGE):
        result = dama("plan", file, *extra)
        assert result.stdout
        assert max(len(line) for line in result.stdout.splitlines()) <= 100


def test_mistakes_are_one_line(runfile: Path, tmp_path: Path) -> None:
    assert "--gpu" in only_error(dama("plan", runfile, "--gpu", "b200"), 2)
    file = tmp_path / "local.yaml"
    file.write_text(f"model: {{kind: local, path: {tmp_path}}}\ndata: {{kind: jsonl, uri: x}}\n")
    assert "config.json cannot be read" in only_error(dama("plan", file))
