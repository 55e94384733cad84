"""A stage as a process of its own: the command line, its environment, and signals passed on to it.

A child never outlives its parent: SIGINT and SIGTERM are passed on and its end is awaited, a second one kills
it, and should the parent be killed outright the child gets SIGTERM from the kernel.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from dama.errors import RestartMe
from dama.spec.run import RunSpec
from dama.stages.machines import check_spread, machines
from dama.stages.share import INDEX, Share

if TYPE_CHECKING:
    from dama.stages.base import Stage

PROGRAM = ("-m", "dama")
"""What python is given to understand `stage NAME RUNFILE`."""
PARENT = "DAMA_PARENT_PID"
"""Set for a child: the process it must not outlive."""
STAGE = "DAMA_STAGE"
"""Set for a child: its stage, by which ranks on several machines know each other."""
TYPED = "DAMA_TYPED"
"""Set for a child: the run file as the person typed it; the child's own is a copy that soon is gone."""
_PR_SET_PDEATHSIG = 1


def command(
    stage: Stage, spec: RunSpec, runfile: Path, program: Sequence[str] = PROGRAM, share: Share | None = None
) -> list[str]:
    """Return the command that runs one stage of a frozen run file, by torchrun when it has several ranks."""
    ranks = stage.ranks(spec)
    each = check_spread(spec, machines()).each(ranks)
    start = ["-m", "dama.stages.torchrun", str(each)] if ranks > 1 else []
    part = ["--shard", str(share)] if stage.in_shards and share is not None and not share.whole else []
    return [sys.executable, *start, *program, "stage", stage.name, str(runfile), "--frozen", *part]


def environment(stage: Stage, spec: RunSpec) -> dict[str, str]:
    """Return the child's environment: ours, with the CPU's threads shared out between ranks.

    The pod's number is left out: a child's share is on its command line.
    """
    environ = {**os.environ, PARENT: str(os.getpid()), STAGE: stage.name}
    environ.pop(INDEX, None)
    ranks = stage.ranks(spec) // machines().count
    if stage.ranks(spec) > 1:
        share = spec.train.threads or max(1, (os.cpu_count() or 1) // ranks)
        environ["OMP_NUM_THREADS"] = str(share)
    return environ


@dataclass(frozen=True)
class Ended:
    """How a child ended."""

    code: int
    """Its exit code; negative for a signal, as subprocess has it."""
    signal: int | None = None
    """SIGINT or SIGTERM if we got one, and so it did, while it ran."""

    def stop(self) -> NoReturn:
        """End this process as the signal demands, now that the child has ended: KeyboardInterrupt, or
        SystemExit with 128 + signal; without another word where the child said that it saved its state."""
        number = self.signal if self.signal is not None else signal.SIGTERM
        if number == signal.SIGINT and self.code != RestartMe.exit_code:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)


def call(argv: Sequence[str], environ: Mapping[str, str]) -> Ended:
    """Run a child to its end and say how it ended; SIGINT and SIGTERM are passed on to it."""
    child = subprocess.Popen(list(argv), env=dict(environ), process_group=0)  # noqa: S603 - our own command
    with child, _passing_on(child) as got:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)  # what the child may have left behind; its id is still ours
        code = child.wait()
    return Ended(code, got[0] if got else None)


@contextmanager
def _passing_on(child: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Pass SIGINT and SIGTERM on to `child`, the second as SIGKILL; give the list of those that came."""
    got: list[int] = []

    def handler(number: int, _: FrameType | None) -> None:
        got.append(number)
        with suppress(ProcessLookupError):
            if len(got) == 1:
                child.send_signal(number)
            else:
                os.killpg(child.pid, signal.SIGKILL)

    if threading.current_thread() is not threading.main_thread():
        yield got  # only the main thread hears signals
        return
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield got
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def under_torchrun() -> bool:
    """Say whether this process is a rank that torchrun started."""
    return "LOCAL_RANK" in os.environ


def live_as_child() -> None:
    """In a child's process: end tidily on SIGTERM, and get one when the parent dies."""
    signal.signal(signal.SIGTERM, _leave)
    parent = os.environ.get(PARENT)
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it died before we asked
        raise SystemExit(128 + signal.SIGTERM)


def _leave(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)
