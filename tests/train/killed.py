"""Runs a training that is killed again and again: `killed.py SETTINGS.json KILLS`.

Everything is imported once and each start is a fork, so that twenty starts take seconds. A third of the kills
come at a random moment of loading, the others a random number of steps and a random part of one later, which
meets training, saving and uploading alike. All ranks get SIGKILL. The last start is left to its end.
"""

from __future__ import annotations

import importlib
import json
import mmap
import os
import random
import signal
import struct
import sys
import time
from pathlib import Path

from s3_servers import free_port

LOADING_SECONDS, MOST_STEPS = 1.5, 6
"""So few that no twenty kills let a training of 90 steps come to its end."""


def main(settings: Path, kills: int) -> int:
    """Kill a training `kills` times, then let it finish; return its exit code."""
    _import_all()
    read = json.loads(settings.read_text())
    chance, moments = random.Random(0), []
    for _ in range(kills):
        counter = mmap.mmap(-1, 8)
        ranks = _start(read, counter)
        if chance.random() < 1 / 3:
            _await_loading(counter, chance.uniform(0, LOADING_SECONDS))
        else:
            _await_steps(counter, chance.randint(0, MOST_STEPS), ranks)
            time.sleep(chance.uniform(0, 0.05))
        for pid in ranks:
            os.kill(pid, signal.SIGKILL)
        ended = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in ranks]
        if ended != [-signal.SIGKILL] * len(ranks):
            sys.stderr.write(f"a start ended by itself: {ended}\n")
            return 1
        moments.append(struct.unpack("q", counter[:])[0])
    (Path(read["out"]) / "kills.json").write_text(json.dumps(moments))
    ranks = _start(read, mmap.mmap(-1, 8))
    return max(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in ranks)


def _import_all() -> None:
    """Import what a start imports, in the order that it takes, without starting anything."""
    os.environ["DS_ACCELERATOR"] = "cpu"
    for name in ("dama.train.begin", "deepspeed", "dama.train.run", "dama.model.load", "worker"):
        importlib.import_module(name)
    transformers = importlib.import_module("transformers")
    for name in ("AutoModelForImageTextToText", "AutoProcessor", "LlavaForConditionalGeneration"):
        getattr(transformers, name)  # lazy: looking them up imports them
    sys.modules["torch"].set_num_threads(1)


def _start(read: dict[str, object], counter: mmap.mmap) -> list[int]:
    """Fork the ranks of one start; every step of rank 0 is counted in `counter`."""
    train = read["train"]
    assert isinstance(train, dict)
    count, port = int(train["ranks"]), free_port()
    pids = []
    for rank in range(count):
        pid = os.fork()
        if pid:
            pids.append(pid)
            continue
        os.environ.update(
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(count),
            LOCAL_WORLD_SIZE=str(count),
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(port),
        )
        _be_rank(read, counter if rank == 0 else mmap.mmap(-1, 8))
    return pids


def _be_rank(read: dict[str, object], counter: mmap.mmap) -> None:
    import worker

    from dama.stages.stopping import Stopping
    from dama.stages.torchrun import leave

    class Counting(Stopping):
        """Counts how often it is asked, which is once a step."""

        steps = 0

        @property
        def asked(self) -> bool:
            self.steps += 1
            counter[:] = struct.pack("q", self.steps)
            return False

        @asked.setter
        def asked(self, value: bool) -> None:
            assert not value

    try:
        code = worker.main(read, Counting)
    except BaseException as error:  # a fork must never return into its parent's loop
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        code = 1
    leave(code)


def _await_loading(counter: mmap.mmap, seconds: float) -> None:
    """Wait so long, or where loading is quicker until the first step."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and struct.unpack("q", counter[:])[0] == 0:
        time.sleep(0.001)


def _await_steps(counter: mmap.mmap, steps: int, ranks: list[int]) -> None:
    deadline = time.monotonic() + 60
    while struct.unpack("q", counter[:])[0] < steps:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{steps} steps took more than a minute")
        time.sleep(0.001)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
