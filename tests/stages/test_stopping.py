"""Wishes to stop, in processes of their own: at once while nothing can be lost, else when the stage looks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dama.stages.stopping import Stopping
from dama.stages.torchrun import FAILURE

WAITER = """
import os, signal, sys, time
from dama.stages.stopping import Stopping
with Stopping() as stopping:
    if sys.argv[1] == "steps":
        stopping.wait_for_steps()
    for _ in range(int(sys.argv[2])):
        os.kill(os.getpid(), getattr(signal, sys.argv[3]))
    print("asked" if stopping.asked else "not asked")
"""


def _wait(when: str, times: int, name: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WAITER, when, str(times), name],
        capture_output=True,
        text=True,
        env={**os.environ, **environ},
        check=False,
    )


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_before_the_first_step_a_signal_ends_it_at_once(name: str) -> None:
    done = _wait("loading", 1, name)
    assert done.returncode == 75
    assert done.stderr == "dama: stopped before the first step, nothing is lost; the same command goes on\n"
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_once_steps_are_taken_a_signal_is_a_wish(name: str) -> None:
    done = _wait("steps", 1, name)
    assert (done.returncode, done.stdout, done.stderr) == (0, "asked\n", "")


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_the_second_signal_ends_it_at_once(name: str, code: int) -> None:
    assert _wait("steps", 2, name).returncode == code


def test_the_signal_that_torchrun_sends_when_a_rank_failed_is_no_wish(tmp_path: Path) -> None:
    done = _wait("steps", 1, "SIGTERM", **{FAILURE: str(tmp_path / "failure")})
    assert (done.returncode, done.stderr) == (143, ""), "the launcher says which rank failed"
    (tmp_path / "asked").touch()
    done = _wait("steps", 1, "SIGTERM", **{FAILURE: str(tmp_path / "failure")})
    assert (done.returncode, done.stdout) == (0, "asked\n")


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Stopping():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("hears", [True, False])
def test_a_stage_that_cannot_go_on_hears_nothing_and_neither_does_a_thread(hears: bool) -> None:
    before = signal.getsignal(signal.SIGTERM)
    found = []

    def inside() -> None:
        with Stopping(hears=hears):
            found.append(signal.getsignal(signal.SIGTERM))

    if hears:
        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
    else:
        inside()
    assert found == [before]
