"""compose.yaml for real, as one story: run, run again, stopped and without its store, refused, tested, gone.

The tests need each other's order; together they are what `make compose-test` promises.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from composed import Project, now

pytestmark = pytest.mark.docker

STAGES = (
    "world",
    "splitter",
    "data",
    "facts",
    "scores",
    "alpha",
    "reference",
    "train",
    "baseline",
    "evaluate",
)
_OUTAGE_SECONDS = 20


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A fresh project, gone afterwards whatever happens."""
    report, user = tmp_path_factory.mktemp("report"), f"{os.getuid()}:{os.getgid()}"
    if os.getuid() == 0:  # no service may be root, and so neither may the folder's owner
        user = "12345:12345"
        os.chown(report, 12345, 12345)
    made = Project(f"dama-test-{uuid.uuid4().hex[:8]}", report, user)
    try:
        yield made
    finally:
        made.compose("--profile", "test", "down", "--volumes", "--timeout", "5", check=False)


def test_everything_runs_and_the_report_lands_on_this_machine(project: Project) -> None:
    began = time.monotonic()
    project.run_all()
    print(f"the whole run took {time.monotonic() - began:.0f} s")
    page = (project.report / "report.html").read_text("utf-8")
    assert "miniature" in page
    assert (project.report / "summary.json").is_file()
    assert (project.report / "report.html").stat().st_uid == int(project.user.split(":")[0])


def test_every_stage_left_its_commit(project: Project) -> None:
    assert set(STAGES) <= project.commits().keys()


def test_facts_are_vllms(project: Project) -> None:
    meta = project.commits()["facts"]["meta"]
    assert meta["splitter"]["engine"] == "vllm"
    assert sum(meta["flags"].values()) <= 0.01 * 2 * meta["preferences"], meta["flags"]  # the rest by rules


def test_progress_can_be_read_in_the_logs(project: Project) -> None:
    said = project.logs()
    for words in (
        "bucket dama at",
        "world: make the miniature world",
        "facts: split answers",
        "report: s3://dama",
    ):
        assert words in said
    assert "Traceback" not in said
    assert project.logs("train").count("preferences/s") >= 1


def test_a_second_up_makes_nothing_again(project: Project) -> None:
    before, moment = project.commits(), now()
    project.run_all()
    said = project.logs(since=moment)
    assert "reused" in said
    assert "to do" not in said
    assert project.commits() == before


def test_sigterm_saves_and_an_outage_of_the_store_loses_nothing(project: Project) -> None:
    before = project.commits()["train"]
    project.forget("train")
    moment = now()
    project.compose("up", "--detach", "train")
    project.wait_for_checkpoint()
    project.compose("stop", "train")
    assert project.exit_code("train") == 75, project.logs("train", since=moment)
    assert "train" not in project.commits()

    moment = now()
    project.compose("up", "--detach", "train")
    project.until_said("train", "going on from the checkpoint of step", moment)
    project.compose("kill", "store")
    time.sleep(_OUTAGE_SECONDS)
    project.compose("start", "store")
    assert project.ended("train") == 0, project.logs("train", since=moment)
    assert project.commits()["train"] == before  # the same model, curves and gaps, to the bit


@pytest.mark.parametrize("service", ["bucket", "preprocess", "reference"])
def test_wrong_keys_end_with_one_line(project: Project, service: str) -> None:
    command = ["run", "--rm", "--no-deps", "--no-TTY", "--env", "S3_SECRET_KEY=wrong", service]
    done = project.compose(*command, check=False)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("dama:")]
    assert "refuses access" in line
    assert "Traceback" not in done.stdout + done.stderr


def test_the_test_suite_runs_inside_the_training_image(project: Project) -> None:
    done = project.compose("run", "--rm", "--no-TTY", "test", check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


def test_down_leaves_nothing(project: Project) -> None:
    assert project.left()
    project.compose("--profile", "test", "down", "--volumes", "--timeout", "5")
    assert project.left() == []
    assert Path(project.report, "report.html").is_file()
