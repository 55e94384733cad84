"""Every benchmark runs at a minute shape, so that none rots; what it prints there is not to be believed."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def _printed(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(HERE / script), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _rows(printed: str) -> dict[str, list[str]]:
    """Return the cells of every table row by its first cell."""
    rows = [line.strip("| ").split("|") for line in printed.splitlines() if line.startswith("| ")]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}


@pytest.mark.slow
def test_a_dpo_step() -> None:
    printed = _printed("step.py", "--shape", "minute", "--layers", "1", "--repeats", "1", "--steps", "1")
    rows = _rows(printed)
    assert float(rows["usual"][0].split()[0]) >= 0
    assert rows["times faster"][1].startswith("asked >= 3: m")
    assert rows["of the memory"][1].startswith("asked <= 0.5: m")
    assert "2 threads" in printed
    assert "text 1 layers" in printed
    assert "torch 2." in printed


@pytest.mark.slow
def test_a_dama_step_and_what_exactness_costs() -> None:
    printed = _printed("dama_step.py", "--shape", "minute", "--repeats", "1")
    rows = _rows(printed)
    assert float(rows["released way"][1]) > 0
    assert float(rows["ours"][1]) > 0
    assert rows["times faster"][1].startswith("asked >= 3: m")
    assert rows["cost of the first pass"][1].startswith("asked <= 1.35: m")
    assert "training takes two passes" in printed


@pytest.mark.slow
def test_against_trl() -> None:
    rows = _rows(_printed("against_trl.py", "--shape", "minute", "--repeats", "1", "--steps", "1"))
    assert float(rows["TRL"][1]) > 0
    assert float(rows["ours"][1]) > 0
    assert rows["times faster"][1].startswith("asked >= 3: m")


@pytest.mark.slow
def test_checkpoints() -> None:
    small = ["--shape", "minute", "--steps", "12", "--mib", "8", "--repeats", "1"]
    rows = _rows(_printed("checkpoints.py", *small))
    assert float(rows["every 5"][1]) > 0
    assert float(rows["of the time that training stands still"][0]) < 1
    assert float(rows["Checkpoints.save"][1]) > 0
    assert rows["of bare boto3's throughput"][1].startswith("asked >= 0.8: m")


@pytest.mark.slow
def test_preprocessing() -> None:
    small = ["--preferences", "700", "1400", "--store-preferences", "600", "--repeats", "1"]
    rows = _rows(_printed("preprocessing.py", *small))
    for stage in ("data", "facts", "scores", "alpha"):
        assert float(rows[f"1,400 {stage}"][1]) > 0
    assert rows["peak GB of the chain"][1].startswith("asked <= 1.2: m")
    assert rows["time, 1,400 to 700"][1].startswith("asked <= 4.2: m")
    assert rows["alpha alone, preferences/s"][1].startswith("asked >= 3000: m")
    assert float(rows["all three"][1]) > 0
    assert rows["of the stages' time that S3 takes"][1].startswith("asked <= 0.1: m")


@pytest.mark.slow
def test_scoring() -> None:
    rows = _rows(_printed("scoring.py", "--shape", "minute", "--preferences", "3", "--repeats", "1"))
    assert [rows[way][2] for way in ("pairs", "whole context", "ours")] == ["30", "3", "3"]
    assert max(float(rows[way][3]) for way in ("whole context", "ours")) <= 1e-3
    assert rows["times faster"][1].startswith("asked >= 3: m")


def _useful() -> tuple[float, float]:
    """Return the useful operations of one preference at the minute shape: learned from, and only seen."""
    from shapes import MINUTE, new_llava

    from dama.model.flops import useful_flops
    from dama.model.shape import model_shape

    of, answers = model_shape(new_llava(MINUTE).config.to_dict()), (MINUTE.answer, MINUTE.answer)
    learned, seen = (useful_flops(of, MINUTE.prompt, answers, learned=which) for which in (True, False))
    return learned, seen


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["in", "out"])
def test_the_gpus_script_on_the_cpu(optimizer: str) -> None:
    small = [
        "--device",
        "cpu",
        "--shape",
        "minute",
        "--repeats",
        "1",
        "--optimizer",
        optimizer,
        "--tflops",
        "1e-6",
    ]
    printed = _printed("gpu.py", *small)
    assert f"optimizer step {'included' if optimizer == 'in' else 'excluded'}" in printed
    lines = [line for line in printed.splitlines() if line.startswith(("| dpo", "| dama"))]
    measured = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines[:5]]
    assert [row[:2] for row in measured] == [
        ["dpo", "concatenated"],
        ["dpo", "shared, sdpa"],
        ["dama", "released way"],
        ["dama", "shared, sdpa"],
        ["dama", "shared, sdpa, no recomputation"],
    ]
    assert all(float(row[3]) > 0 for row in measured)
    learned, seen = _useful()
    for row in measured:  # of a device that promises 1e6 operations a second
        each = learned if row[0] == "dpo" else (12 * learned + 4 * seen) / 16
        assert float(row[4]) == pytest.approx(100 * each * float(row[3]) / 1e6, rel=0.02)
    assert "dama   | times faster, shared, sdpa" in printed
    assert "dpo    | MFU in %, shared, sdpa" in printed


def test_without_a_gpu_its_script_says_so() -> None:
    script = "import sys, torch; torch.cuda.is_available = lambda: False; import gpu; gpu.main([])"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(HERE)!r}); {script}"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "no CUDA device\n"), done.stderr


def test_a_ratio_is_taken_within_each_turn_and_its_median_judged() -> None:
    """10/5, 12/3 and 9/3 are 2, 4 and 3: the medians alone would give 10/3."""
    from table import Target, interleaved, ratios, spread

    turns: list[str] = []
    times = {"slow": iter([10.0, 12.0, 9.0]), "fast": iter([5.0, 3.0, 3.0])}

    def take(name: str) -> float:
        turns.append(name)
        return next(times[name])

    found = interleaved({name: partial(take, name) for name in times}, 3)
    assert turns == ["slow", "fast"] * 3
    faster = ratios(found["slow"], found["fast"])
    assert spread(faster) == "3.00 (2.00 to 4.00)"
    assert Target("least", 3.0).verdict(faster) == "asked >= 3: met"
    assert Target("most", 0.5).verdict([0.4, 0.6, 0.7]) == "asked <= 0.5: missed"
