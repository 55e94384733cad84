"""Runs of the real stages, small: a run file over the session's small world, put in place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

from dama.demo.stage import STAGE as WORLD
from dama.spec.load import load
from dama.spec.run import RunSpec
from dama.stages.base import Planned, plan
from dama.stages.freeze import freeze
from dama.stages.registry import STAGES
from dama.storage.commit import write_artifact
from dama.storage.uri import open_store

ALL = (WORLD, *STAGES)


def write_run(folder: Path, world: Path, **train: object) -> Path:
    """Write `run.yaml` into `folder`, DAMA on two ranks, six steps, the world in its store."""
    folder.mkdir(parents=True, exist_ok=True)
    run = {
        "name": "small",
        "model": "tiny",
        "method": {"name": "dama", "keep": 6},
        "world": {"held_out": 12},
        "train": {
            "batch": 8,
            "per_device_batch": 4,
            "max_steps": 6,
            "save_every_steps": 2,
            "threads": 1,
            "learning_rate": 1e-3,
            **train,
        },
        "evaluate": {"benchmarks": [{"kind": "miniature", "scenes": 12}], "max_new_tokens": 8, "batch": 6},
        "storage": {"uri": "store"},
    }
    file = folder / "run.yaml"
    file.write_text(yaml.safe_dump(run))
    spec, whole = planned(file)
    write_artifact(open_store(spec.storage), whole["world"].prefix, world, {"seed": 0})
    return file


def planned(file: Path) -> tuple[RunSpec, dict[str, Planned]]:
    """Return the frozen run of a file and its plan."""
    spec = freeze(load(file))
    return spec, plan(spec, ALL)


def parts(file: Path, stage: str) -> dict[str, bytes]:
    """Return every part of a stage's artifact, and its commit; clock-bound notes are none."""
    spec, whole = planned(file)
    folder = Path(spec.storage.uri) / whole[stage].prefix
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "made.json" and "checkpoints" not in path.parts
    }
    assert "commit.json" in found, f"stage {stage} left no commit"
    return found


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start `dama ARGUMENTS` in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "dama", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], timeout: float = 300) -> str:
    """Await a command that must end well; return what it printed."""
    text, _ = process.communicate(timeout=timeout)
    assert process.returncode == 0, text
    return text


def kill_all(process: subprocess.Popen[str]) -> None:
    """Kill -9 a command and every process it started, whichever group they are in, and await their end."""
    children = _descendants(process.pid)
    for pid in [process.pid, *children]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.communicate(timeout=60)
    deadline = time.monotonic() + 120
    while any(Path(f"/proc/{pid}").exists() and not _zombie(pid) for pid in children):
        assert time.monotonic() < deadline, "processes outlive SIGKILL"
        time.sleep(0.05)


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *_descendants(int(child))]
    return found


def _zombie(pid: int) -> bool:
    try:
        return ") Z" in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
