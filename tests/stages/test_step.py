"""A step makes its own stages and no others, publishes, and hands the wish for another start on."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import small_pipeline
from rich.console import Console
from small_runs import PROGRAM, spec_of, store_of, worked

from dama.errors import StageFailed
from dama.spec.run import RunSpec
from dama.stages.base import plan
from dama.stages.step import run_step
from dama.storage.commit import delete_artifact, read_commit


def stepped(spec: RunSpec, *names: str) -> str:
    out = io.StringIO()
    console = Console(file=out, width=200)
    run_step(spec, names, small_pipeline.STAGES, console, verb="step train", program=PROGRAM)
    return out.getvalue()


def test_only_the_steps_own_stages_are_made(tmp_path: Path, notes: Path) -> None:
    spec = spec_of(tmp_path)
    stepped(spec, "extra", "data")
    assert worked(notes) == ["data", "extra"]
    assert "train: makes train" in stepped(spec, "train", "not-in-this-run")
    assert worked(notes) == ["data", "extra", "train"]
    assert stepped(spec, "train").startswith("train: already there")


def test_the_report_is_published_for_people(tmp_path: Path, notes: Path) -> None:
    spec = spec_of(tmp_path)
    stepped(spec, "extra", "data", "train", "report")
    assert store_of(spec).get_bytes(f"runs/{spec.name}/report/report.html") == b"<p>all is well</p>"


def test_what_another_step_should_have_made_is_not_made(tmp_path: Path, notes: Path) -> None:
    with pytest.raises(StageFailed, match="stage 'train' failed with exit code 1"):
        stepped(spec_of(tmp_path), "train")
    assert "data" not in worked(notes)


def test_a_stage_that_saved_ends_with_the_code_that_asks_for_another_start(
    tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(tmp_path)
    stepped(spec, "extra", "data")
    monkeypatch.setenv("MISBEHAVE", "train=restart-always")
    with pytest.raises(SystemExit) as ended:
        stepped(spec, "train")
    assert ended.value.code == 75


def test_the_machine_without_the_first_rank_waits_for_the_commit(
    tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dama.stages.step import _await_commit

    spec = spec_of(tmp_path)
    stepped(spec, "extra", "data")
    planned, store = plan(spec, small_pipeline.STAGES)["data"], store_of(spec)
    commit = read_commit(store, planned.prefix)
    assert commit is not None
    delete_artifact(store, planned.prefix)
    with pytest.raises(StageFailed, match="left no commit"):
        _await_commit(store, planned)
    for name, value in {"PET_NNODES": "2", "PET_NODE_RANK": "1", "PET_MASTER_ADDR": "x"}.items():
        monkeypatch.setenv(name, value)
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            store.put_bytes(f"{planned.prefix}/commit.json", commit.to_bytes())

    _await_commit(store, planned, pause)
    assert len(waited) == 3
