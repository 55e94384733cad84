"""Trainings that are told to stop, killed, spread over machines: they go on to the same bits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from s3_servers import free_port
from trainings import (
    WORKER,
    Result,
    finish_training,
    run_training,
    small_training,
    start_training,
    write_settings,
)

KILLS = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_training(tmp_path_factory.mktemp("training"))


def _done(result: Result) -> Result:
    assert result.returncode == 0, result.log
    return result


def _assert_same_bits(one: Result, other: Result) -> None:
    assert one.metrics
    assert one.metrics == other.metrics
    assert one.gaps == other.gaps
    assert one.weights.read_bytes() == other.weights.read_bytes()


def _await_checkpoint(process: subprocess.Popen[str], store: Path, after: int = 0) -> None:
    deadline = time.monotonic() + 120
    while not any(step > after for step in _steps(store)):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "no checkpoint ever came"
        time.sleep(0.01)


def _steps(store: Path) -> list[int]:
    commits = (store / "train" / "checkpoints").glob("step-*/commit.json")
    return sorted(int(path.parent.name.removeprefix("step-")) for path in commits)


@pytest.mark.slow
def test_the_limit_and_sigterm_save_and_the_rest_is_bit_identical(folder: Path) -> None:
    """Two ranks: stopped by the limit after one step, by SIGTERM in the midst, then left to its end."""
    settings: dict[str, Any] = {"ranks": 2, "per_device": 8, "zero": 1, "steps": 60, "save_every_steps": 10}
    out = folder / "stopped"
    limited = run_training(folder, out, limit_minutes=1e-6, **settings)
    assert limited.returncode == 75, limited.log
    said = "worker: train.limit_minutes 1e-06 is over: saved at step 1 of 60; the same command goes on"
    assert limited.log.splitlines()[-1] == said
    assert _steps(out) == [1]
    process = start_training(folder, out, **settings)
    _await_checkpoint(process, out, after=1)
    process.send_signal(signal.SIGTERM)
    stopped = finish_training(process, out)
    assert stopped.returncode == 75, stopped.log
    last = _steps(out)[-1]
    assert f"worker: asked to stop: saved at step {last} of 60; the same command goes on" in stopped.log
    assert stopped.log.count("worker:") == 1, "of several ranks one speaks"
    resumed = _done(run_training(folder, out, **settings))
    assert resumed.resumed_from == last
    _assert_same_bits(resumed, _done(run_training(folder, folder / "unstopped", **settings)))


def _kill_often(folder: Path, out: Path, kills: int, **settings: Any) -> Result:
    path = write_settings(folder, out, **settings)
    command = [sys.executable, str(WORKER.with_name("killed.py")), str(path), str(kills)]
    paths = [str(WORKER.parent.parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        start_new_session=True,
    )
    return _done(finish_training(process, out))


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [{"ranks": 2, "per_device": 8, "zero": 3}, {"ranks": 1, "per_device": 4, "accumulation": 4}],
    ids=["two ranks, ZeRO 3", "one rank, accumulation"],
)
def test_kill_9_at_twenty_random_moments_changes_no_bit(folder: Path, settings: dict[str, Any]) -> None:
    settings = {"steps": 90, "save_every_steps": 5, **settings}
    name = "-".join(str(value) for value in settings.values())
    whole = _kill_often(folder, folder / f"whole-{name}", 0, **settings)
    killed = _kill_often(folder, folder / f"killed-{name}", KILLS, **settings)
    moments = json.loads((folder / f"killed-{name}" / "kills.json").read_text())
    assert len(moments) == KILLS
    assert killed.resumed_from > 0
    _assert_same_bits(killed, whole)


def _machines(
    folder: Path, outs: list[Path], store: Path, refused: Sequence[Sequence[int]] = ((), ()), **settings: Any
) -> list[subprocess.Popen[str]]:
    """Start one torchrun agent for every folder, as on machines that share nothing but the store; `refused`
    names the steps whose files each machine cannot store."""
    port = str(free_port())
    nodes = ["--nnodes", str(len(outs)), "--nproc-per-node", "1", "--master-addr", "127.0.0.1"]
    return [
        start_training(
            folder,
            out,
            launcher=[
                "-m",
                "torch.distributed.run",
                *nodes,
                "--master-port",
                port,
                "--node-rank",
                str(number),
            ],
            store=store,
            refused=refused[number],
            **settings,
        )
        for number, out in enumerate(outs)
    ]


def _kill_session(process: subprocess.Popen[str]) -> None:
    """Kill an agent and its rank, which has a session of its own."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in [process.pid, *map(int, children)]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.communicate(timeout=60)


@pytest.mark.slow
def test_two_machines_save_together_and_go_on_to_the_bit(folder: Path) -> None:
    settings: dict[str, Any] = {"ranks": 2, "per_device": 8, "zero": 3, "steps": 40, "save_every_steps": 4}
    outs, store = [folder / "machine-0", folder / "machine-1"], folder / "common"
    machines = _machines(folder, outs, store, **settings)
    _await_checkpoint(machines[0], store, after=4)
    for machine in machines:
        _kill_session(machine)
    last = _steps(store)[-1]
    place = store / "train" / "checkpoints" / f"step-{last:06d}"
    parts = json.loads((place / "commit.json").read_text())["parts"]
    shards = [f"global_step{last}/zero_pp_rank_{rank}_mp_rank_00_optim_states.pt" for rank in range(2)]
    assert {"rng-0.pt", "rng-1.pt", *shards} <= parts.keys()
    results = [
        finish_training(machine, out)
        for machine, out in zip(_machines(folder, outs, store, **settings), outs, strict=True)
    ]
    assert [result.returncode for result in results] == [0, 0], results[0].log
    assert results[0].resumed_from == last
    _assert_same_bits(results[0], _done(run_training(folder, folder / "one-machine", **settings)))


@pytest.mark.slow
@pytest.mark.parametrize("refused", [[4], [4, 8]], ids=["once", "twice in a row"])
def test_what_one_machine_cannot_upload_none_commits(folder: Path, refused: list[int]) -> None:
    settings: dict[str, Any] = {"ranks": 2, "per_device": 8, "zero": 1, "steps": 14, "save_every_steps": 4}
    name = f"refused-{len(refused)}"
    outs, store = [folder / f"{name}-0", folder / f"{name}-1"], folder / name
    machines = _machines(folder, outs, store, ((), refused), keep_last=9, **settings)
    first, second = (finish_training(one, out) for one, out in zip(machines, outs, strict=True))
    assert "the checkpoint of step 4 is not in the store: machine 1 did not upload its share" in first.log
    assert "the checkpoint of step 4 is not in the store: the store does not answer" in second.log
    if len(refused) == 1:
        assert (first.returncode, second.returncode) == (0, 0), first.log
        assert _steps(store) == [8, 12, 14]
    else:
        assert (first.returncode, second.returncode) == (1, 1)
        assert "StoreUnreachable: the store does not answer" in second.log
        assert _steps(store) == []


@pytest.mark.slow
def test_a_model_cut_while_it_is_loaded_trains_to_the_same_bits(folder: Path) -> None:
    settings: dict[str, Any] = {"ranks": 2, "per_device": 8, "zero": 3, "steps": 6}
    cut = _done(run_training(folder, folder / "cut", **settings))
    _assert_same_bits(cut, _done(run_training(folder, folder / "whole", cut=False, **settings)))
