"""One trial in a process of its own: `trial.py WAY SETTINGS.json` prints seconds of steps and peak memory.

A process of its own, because peak memory is a process's; because TRL and DeepSpeed set up a process each
their own way; and so that nothing that one way leaves behind (caches, threads, freed memory) helps the other.
"""

from __future__ import annotations

import gc
import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

WAYS = {
    "usual": "memory_ways",
    "shared": "memory_ways",
    "released": "memory_ways",
    "engine": "engine",
    "trl": "trl_way",
}
"""Which module knows a way; it has a function of that name that takes settings and returns a Trial."""
MIB = 2**20


@dataclass(frozen=True)
class Trial:
    """What one process measured."""

    seconds: list[float]
    """Of each step after the warm-up."""
    peak_mib: float
    """Most memory over that of the loaded model, while stepping."""
    note: str = ""
    """What it said of itself."""

    @property
    def mean(self) -> float:
        """Seconds of a step."""
        return sum(self.seconds) / len(self.seconds)


def run_trial(way: str, settings: Mapping[str, Any]) -> Trial:
    """Run one trial as a child; RuntimeError with what it said when it fails."""
    with tempfile.TemporaryDirectory(prefix="dama-bench-") as scratch:
        path = Path(scratch) / "settings.json"
        path.write_text(json.dumps({**settings, "scratch": scratch}))
        command = [sys.executable, str(Path(__file__)), way, str(path)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"trial '{way}' failed:\n{done.stderr}")
    return Trial(**json.loads(done.stdout.splitlines()[-1]))


class Peak:
    """The most memory that this process holds from now on, over what it holds now."""

    def __init__(self) -> None:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the high-water mark starts over
        self._before = _status("VmRSS")

    def mib(self) -> float:
        """Return the growth in MiB."""
        return (_status("VmHWM") - self._before) / 1024


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise RuntimeError(f"/proc/self/status has no {field}")


def stepped(step: Callable[[], object], *, warm: Callable[[], object], steps: int) -> Trial:
    """Measure `step` after `warm`: the memory of warm-up and steps, the seconds of the steps."""
    peak = Peak()
    warm()
    seconds = []
    for _ in range(steps):
        gc.collect()
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    return Trial(seconds, peak.mib())


def main(way: str, settings: dict[str, Any]) -> None:
    """Run one way and print its trial as the last line."""
    import torch

    torch.set_num_threads(settings["threads"])
    trial = getattr(importlib.import_module(WAYS[way]), way)(settings)
    print(json.dumps(asdict(trial)))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))
