"""A process whose child was stopped ends as the child did; one whose child ended well goes on."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest
import small_pipeline
from small_runs import spec_of

from dama.errors import RestartMe
from dama.stages.base import Planned, plan
from dama.stages.launch import Ended
from dama.stages.process import hand_on


@pytest.fixture
def training(tmp_path: Path) -> Planned:
    """A stage that saves its state and goes on later."""
    planned = plan(spec_of(tmp_path), small_pipeline.STAGES)["train"]
    return replace(planned, stage=replace(planned.stage, goes_on=True))


def test_a_child_that_ended_well_is_not_handed_on_even_if_a_signal_came(training: Planned) -> None:
    hand_on(Ended(0), training)
    hand_on(Ended(0, signal.SIGTERM), training)


def test_a_wish_for_another_start_is_handed_on(training: Planned) -> None:
    for ended in (Ended(75), Ended(75, signal.SIGTERM)):
        with pytest.raises(SystemExit) as left:
            hand_on(ended, training)
        assert left.value.code == 75


def test_a_training_stopped_before_it_could_hear_goes_on_too(training: Planned) -> None:
    with pytest.raises(RestartMe, match="stopped before the first step"):
        hand_on(Ended(143, signal.SIGTERM), training)


def test_a_child_that_was_killed_ends_this_process_by_the_signal(training: Planned) -> None:
    with pytest.raises(SystemExit) as left:
        hand_on(Ended(-signal.SIGKILL, signal.SIGTERM), training)
    assert left.value.code == 128 + signal.SIGTERM


def test_a_stage_that_cannot_go_on_ends_by_the_signal(training: Planned) -> None:
    plain = replace(training, stage=replace(training.stage, goes_on=False))
    with pytest.raises(SystemExit) as left:
        hand_on(Ended(143, signal.SIGTERM), plain)
    assert left.value.code == 143
    with pytest.raises(KeyboardInterrupt):
        hand_on(Ended(130, signal.SIGINT), plain)
