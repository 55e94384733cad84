"""Preprocessing by pods that share nothing but the store: killed, late, absent, all at once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pods
import pytest
from real_runs import kill_all
from small_runs import artifacts

from dama.data.table import PreferenceTable
from dama.hardness.cache import read_hardness
from dama.spec.load import load
from dama.stages.base import plan, run_stage
from dama.stages.freeze import freeze
from dama.stages.share import Share

SHARDS = 6


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset."""
    return pods.write_dataset(tmp_path_factory.mktemp("dataset"))


@pytest.fixture(scope="module")
def undisturbed(rows: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process leaves that makes everything."""
    file = pods.write_run(tmp_path_factory.mktemp("undisturbed"), rows)
    spec = freeze(load(file))
    whole = plan(spec, pods.STAGES)
    for planned in whole.values():
        run_stage(spec, planned, whole)
    return artifacts(spec)


@pytest.fixture
def runfile(rows: Path, tmp_path: Path) -> Path:
    return pods.write_run(tmp_path / "run", rows)


def start(runfile: Path, share: str | None = None, **environ: str) -> subprocess.Popen[str]:
    """Start a pod."""
    part = [] if share is None else ["--shard", share]
    return subprocess.Popen(
        [sys.executable, pods.__file__, "preprocess", str(runfile), *part],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(pod: subprocess.Popen[str]) -> str:
    """Await a pod that must end well; return what it printed."""
    said, _ = pod.communicate(timeout=300)
    assert pod.returncode == 0, said
    return said


def left(runfile: Path) -> dict[str, bytes]:
    return artifacts(load(runfile))


def test_the_dataset_needs_all_that_the_cut_can_do(undisturbed: dict[str, bytes], rows: Path) -> None:
    shards = Counter(key.split("/")[1] for key in undisturbed if "/shards/" in key and "commit" in key)
    assert shards == {"facts": SHARDS, "scores": SHARDS}


def test_alpha_lies_in_the_datasets_order(runfile: Path) -> None:
    spec = freeze(load(runfile))
    whole = plan(spec, pods.STAGES)
    for planned in whole.values():
        run_stage(spec, planned, whole)
    folders = {name: Path(spec.storage.uri) / planned.prefix for name, planned in whole.items()}
    table = PreferenceTable(folders["data"])
    strewn = [index for shard in table.shards() for index in shard]
    assert strewn != sorted(strewn)
    assert [one.id for one in read_hardness(folders["alpha"])] == table.ids()


def test_a_pod_does_its_share_and_the_last_makes_alpha(
    runfile: Path, undisturbed: dict[str, bytes], notes: Path
) -> None:
    first = finish(start(runfile, "1/2"))
    assert "facts: shards 0, 2, 4 of 6 are left to other processes" in first
    assert "alpha: left to the process that makes the last shard" in first
    assert not any("/alpha/" in key for key in left(runfile))
    last = finish(start(runfile, "0/2"))
    assert "left to other processes" not in last
    assert "alpha: hardness and alpha_data" in last
    assert left(runfile) == undisturbed
    assert len(list(notes.iterdir())) == 2 * SHARDS


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 5])
def test_pods_at_once_leave_the_bytes_of_one_process(
    runfile: Path, undisturbed: dict[str, bytes], notes: Path, count: int
) -> None:
    running = [start(runfile, f"{index}/{count}", PACE="0.1") for index in range(count)]
    said = [finish(pod) for pod in running]
    assert any("alpha: hardness and alpha_data" in one for one in said)
    assert left(runfile) == undisturbed
    assert Counter(path.name.rsplit("-", 1)[0] for path in notes.iterdir()) == {
        f"{stage}-{shard}": 1 for stage in ("facts", "scores") for shard in range(SHARDS)
    }


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 5])
def test_kill_9_at_any_moment_leaves_the_same_bytes(
    runfile: Path, undisturbed: dict[str, bytes], notes: Path, count: int
) -> None:
    """All pods are killed at work, four times, each time further on; then all are let alone."""
    chance = random.Random(count)
    for made in sorted(chance.sample(range(1, 2 * SHARDS), 4)):
        running = [start(runfile, f"{index}/{count}", PACE="0.1") for index in range(count)]
        deadline = time.monotonic() + 120
        while len(list(notes.iterdir())) < made:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.3))
        chance.shuffle(running)
        for pod in running:
            kill_all(pod)
    for index in range(count):
        finish(start(runfile, f"{index}/{count}"))
    assert left(runfile) == undisturbed


@pytest.mark.slow
def test_kill_9_between_the_last_shard_and_the_commit_leaves_the_same_bytes(
    runfile: Path, undisturbed: dict[str, bytes], notes: Path
) -> None:
    for stage in ("facts", "scores"):
        pod = start(runfile, DIE=stage)
        said, _ = pod.communicate(timeout=300)
        assert pod.returncode == 1
        assert f"stage '{stage}' was ended by SIGKILL" in said
    made = len(list(notes.iterdir()))
    assert made == 2 * SHARDS
    assert not any(key.endswith(("scores/commit.json", "alpha/commit.json")) for key in left(runfile))
    finish(start(runfile))
    assert len(list(notes.iterdir())) == made, "no shard was made again"
    assert left(runfile) == undisturbed


def test_a_pod_that_never_comes_is_made_up_for(
    runfile: Path, undisturbed: dict[str, bytes], notes: Path
) -> None:
    spec = freeze(load(runfile))
    whole = plan(spec, pods.STAGES)
    run_stage(spec, whole["data"], whole)
    for index in (3, 0, 4, 1):
        for stage in ("facts", "scores"):
            run_stage(spec, whole[stage], whole, Share(index, 5))
    before = {path.name for path in notes.iterdir()}
    for planned in whole.values():
        run_stage(spec, planned, whole)
    made = sorted(path.name for path in notes.iterdir() if path.name not in before)
    assert [name.rsplit("-", 1)[0] for name in made] == ["facts-2", "scores-2"]
    assert left(runfile) == undisturbed


def test_another_formula_makes_alpha_only(runfile: Path, notes: Path) -> None:
    spec = freeze(load(runfile))
    whole = plan(spec, pods.STAGES)
    for planned in whole.values():
        run_stage(spec, planned, whole)
    made, before = len(list(notes.iterdir())), left(runfile)
    for override in ("hardness.aggregate=mean", "hardness.form=scores"):
        other = freeze(load(runfile, [override]))
        again = plan(other, pods.STAGES)
        for name, planned in again.items():
            assert run_stage(other, planned, again).reused == (name != "alpha")
    assert len(list(notes.iterdir())) == made
    after = left(runfile)
    assert before.items() <= after.items()
    assert len({key.split("/")[2] for key in after if key.startswith("artifacts/alpha/")}) == 3
