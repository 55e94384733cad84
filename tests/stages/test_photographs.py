"""The whole pipeline on real photographs, with small random models at LLaVA's real resolution."""

import os
import time
from pathlib import Path

import pytest
import yaml
from clips import write_tiny_clip
from llavas import random_llava
from real_runs import finish, kill_all, parts, planned, start

SAMPLE = os.environ.get("DAMA_SAMPLE_DATA")


@pytest.mark.slow
@pytest.mark.skipif(SAMPLE is None, reason="DAMA_SAMPLE_DATA names no parquet with photographs")
def test_photographs_are_aligned_on_killed_and_resumed(tmp_path: Path) -> None:
    """At 576 image tokens; training is killed after its first checkpoint and goes on from there."""
    assert SAMPLE is not None
    random_llava(tmp_path / "llava", image=336)
    write_tiny_clip(tmp_path / "clip")
    run = {
        "name": "photographs",
        "model": {"kind": "local", "path": "llava"},
        "data": {"kind": "rlaif-v", "uri": SAMPLE},
        "hardness": {"scorer": {"engine": "open_clip", "model": "local", "weights": "./clip"}},
        "method": {"name": "dama", "keep": 3},
        "train": {
            **{"batch": 4, "ranks": 2, "per_device_batch": 1, "accumulation": 2, "device": "cpu"},
            **{"dtype": "float32", "max_steps": 12, "save_every_steps": 3, "max_length": 700},
        },
        "storage": {"uri": "store"},
    }
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(run))
    for stage in ("data", "facts", "scores", "alpha", "reference"):
        finish(start("stage", stage, file))
    _, whole = planned(file)
    process = start("stage", "train", file)
    checkpoints = tmp_path / "store" / whole["train"].prefix / "checkpoints"
    _await(checkpoints / "step-000003" / "commit.json")
    kill_all(process)
    assert "going on from the checkpoint of step" in finish(start("run", file))
    assert "hardness.parquet" in parts(file, "alpha")
    assert {"metrics.jsonl", "model/config.json", "model/README.md"} <= parts(file, "train").keys()
    assert "report.html" in parts(file, "report")
    again = finish(start("run", file))
    assert "done in" not in again


def _await(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)
