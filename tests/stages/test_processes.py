"""The processes of a run: ranks, signals, restarts, and nothing left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_pipeline
from small_runs import PROGRAM, Said, ended, spec_of, store_of, worked

from dama.errors import StageFailed
from dama.spec.load import dump
from dama.stages.base import plan
from dama.stages.pipeline import run_one
from dama.stages.process import RESTARTS


def test_a_stage_that_asks_for_another_start_gets_it(
    tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISBEHAVE", "train=restart-twice")
    Said(spec_of(tmp_path))
    assert worked(notes).count("train") == 3


def test_a_stage_that_gets_further_each_time_is_started_as_often_as_it_asks(
    tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISBEHAVE", "train=restart-further")
    spec = spec_of(tmp_path)
    Said(spec)
    assert worked(notes).count("train") == 9 > 1 + RESTARTS
    assert not [key for key in store_of(spec).keys("artifacts/train/") if "checkpoints" in key]


def test_one_stage_that_asks_for_another_start_ends_with_its_code(
    tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISBEHAVE", "train=restart-ranks")
    spec = spec_of(tmp_path, "train={ranks: 2, per_device_batch: 8}")
    run_one(spec, "data", small_pipeline.STAGES, program=PROGRAM)
    with pytest.raises(SystemExit) as left:
        run_one(spec, "train", small_pipeline.STAGES, program=PROGRAM)
    assert left.value.code == 75


@pytest.mark.slow
def test_a_stage_that_only_asks_for_another_start_is_given_up(
    tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISBEHAVE", "data=restart-always")
    with pytest.raises(StageFailed, match="asked for another start 6 times"):
        Said(spec_of(tmp_path))
    assert worked(notes).count("data") == 6


def test_what_a_stage_leaves_running_is_ended(
    tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISBEHAVE", "data=orphan")
    Said(spec_of(tmp_path))
    (left,) = notes.glob("hanging-*")
    assert ended(int(left.name.split("-")[1]))


RUNNER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import small_pipeline
from rich.console import Console
from dama.spec.load import load
from dama.stages.pipeline import run_all
run_all(load(Path(sys.argv[2])), small_pipeline.STAGES, Console(), program=(small_pipeline.__file__,))
"""


@pytest.fixture
def hanging(
    tmp_path: Path, notes: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    """A whole run whose stage `train` hangs, and the ids of the processes that hang."""
    ranks, what = getattr(request, "param", 1), "hang"
    if not isinstance(ranks, int):
        ranks, what = ranks
    runfile = tmp_path / "run.yaml"
    spec = spec_of(tmp_path, *(["train={ranks: 2, per_device_batch: 8}"] if ranks == 2 else []))
    runfile.write_text(dump(spec))
    command = [sys.executable, "-c", RUNNER, str(Path(small_pipeline.__file__).parent), str(runfile)]
    environ = {**os.environ, "MISBEHAVE": f"train={what}"}
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        deadline = time.monotonic() + 60
        while len(list(notes.glob("hanging-*"))) < ranks:
            assert time.monotonic() < deadline
            assert run.poll() is None
            time.sleep(0.02)
        yield run, [int(path.name.split("-")[1]) for path in notes.glob("hanging-*")]
        run.kill()


@pytest.mark.parametrize("hanging", [1, pytest.param(2, marks=pytest.mark.slow)], indirect=True)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, None)])
def test_a_signal_is_passed_on_and_awaited(
    hanging: tuple[subprocess.Popen[bytes], list[int]], number: int, code: int | None
) -> None:
    run, stages = hanging
    run.send_signal(number)
    found = run.wait(30)
    assert found == code if code is not None else found in (130, -signal.SIGINT)
    assert all(ended(pid, within=0.5) for pid in stages), "they ended before the run did"


@pytest.mark.parametrize(
    "hanging", [(1, "steps"), pytest.param((2, "steps"), marks=pytest.mark.slow)], indirect=True
)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stage_that_goes_on_later_is_left_the_time_to_save(
    hanging: tuple[subprocess.Popen[bytes], list[int]], number: int, code: int
) -> None:
    run, stages = hanging
    run.send_signal(number)
    _, said = run.communicate(timeout=30)
    assert run.returncode == code
    assert said == b"small: saved at step 7\n", "one line, and no rank's but the first's"
    assert all(ended(pid, within=0.5) for pid in stages)


@pytest.mark.parametrize("hanging", [1, pytest.param(2, marks=pytest.mark.slow)], indirect=True)
def test_stages_do_not_outlive_a_run_that_is_killed(
    hanging: tuple[subprocess.Popen[bytes], list[int]],
) -> None:
    run, stages = hanging
    run.kill()
    run.wait()
    assert all(ended(pid) for pid in stages)


def test_ranks_are_started_by_torchrun_and_only_the_first_commits(tmp_path: Path, notes: Path) -> None:
    spec = spec_of(tmp_path, "train={ranks: 2, per_device_batch: 8}")
    said = Said(spec)
    assert said.made() == ["extra", "data", "train", "report"]
    assert worked(notes).count("train") == 2
    assert "makes train (2 ranks)" in said.text
    whole = plan(spec, small_pipeline.STAGES)
    assert store_of(spec).get_bytes(f"{whole['train'].prefix}/out.txt") == b"train(data() seed 0) seed 0"


@pytest.mark.parametrize(
    ("what", "says", "code"),
    [
        ("fail-rank-1", "small: error: row 7 is wrong on rank 1\n", 1),
        pytest.param("fail", "small: error: row 7 is wrong\n", 1, marks=pytest.mark.slow),
        pytest.param(
            "kill-rank-1",
            "dama: error: rank 1 was ended by SIGKILL; is memory short?\n",
            137,
            marks=pytest.mark.slow,
        ),
    ],
)
def test_of_failing_ranks_one_line_comes_through(
    tmp_path: Path,
    notes: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    what: str,
    says: str,
    code: int,
) -> None:
    monkeypatch.setenv("MISBEHAVE", f"train={what}")
    with pytest.raises(StageFailed, match=f"stage 'train' failed with exit code {code}"):
        Said(spec_of(tmp_path, "train={ranks: 2, per_device_batch: 8}"))
    assert capfd.readouterr().err == says
    for path in notes.glob("hanging-*"):
        assert ended(int(path.name.split("-")[1]))


@pytest.mark.slow
def test_ranks_that_ask_for_another_start_get_it(
    tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISBEHAVE", "train=restart-ranks")
    Said(spec_of(tmp_path, "train={ranks: 2, per_device_batch: 8}"))
    assert len(list(notes.glob("train-*-0"))) == 2


@pytest.mark.slow
def test_one_stage_of_several_ranks_starts_them_itself(tmp_path: Path, notes: Path) -> None:
    spec = spec_of(tmp_path, "train={ranks: 2, per_device_batch: 8}")
    run_one(spec, "data", small_pipeline.STAGES, program=PROGRAM)
    outcome = run_one(spec, "train", small_pipeline.STAGES, program=PROGRAM)
    assert not outcome.reused
    assert worked(notes).count("train") == 2
    again = run_one(spec, "train", small_pipeline.STAGES, program=PROGRAM)
    assert again.reused
    assert again.commit == outcome.commit
    assert worked(notes).count("train") == 2


@pytest.mark.slow
def test_a_run_works_outside_the_main_thread(tmp_path: Path, notes: Path) -> None:
    made: list[list[str]] = []
    thread = threading.Thread(target=lambda: made.append(Said(spec_of(tmp_path)).made()))
    thread.start()
    thread.join()
    assert made == [["extra", "data", "train", "report"]]
