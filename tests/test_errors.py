"""The error tree: one line for a person, and an exit code."""

from __future__ import annotations

import inspect

import pytest

import dama.errors
from dama.errors import DamaError, MissingInput, Problem, RestartMe, SpecError

ERRORS = [
    error
    for _, error in inspect.getmembers(dama.errors, inspect.isclass)
    if issubclass(error, BaseException) and error.__module__ == "dama.errors"
]


def test_a_message_says_what_was_found_wanted_and_to_do() -> None:
    error = DamaError("a cat", wanted="a dog", do="bark")
    assert str(error) == "a cat; wanted a dog; to mend: bark"
    assert str(DamaError("a cat")) == "a cat"
    assert str(DamaError("a cat", do="bark")) == "a cat; to mend: bark"


def test_a_message_is_one_line() -> None:
    assert (
        str(DamaError("found\n  this", wanted="that\n", do="a\tb")) == "found this; wanted that; to mend: a b"
    )


def test_a_spec_error_has_a_line_for_each_problem() -> None:
    problems = [Problem("a.b", "3", wanted="4", do="set a.b=4"), Problem("c", "missing")]
    error = SpecError(problems, "run.yaml")
    assert str(error) == "run.yaml: a.b: 3; wanted 4; set a.b=4\nrun.yaml: c: missing"
    assert error.problems == problems


def test_exit_codes() -> None:
    codes = {error.__name__: error.exit_code for error in ERRORS if hasattr(error, "exit_code")}
    assert codes.pop("SpecError") == 2
    assert codes.pop("RestartMe") == 75
    assert set(codes.values()) == {1}


def test_stopping_to_be_started_again_is_no_failure() -> None:
    assert not issubclass(RestartMe, DamaError)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_is_drawn_in_the_tree(error: type[BaseException]) -> None:
    assert error.__name__ in (dama.errors.__doc__ or "")


def test_a_missing_input_names_the_stage_that_makes_it() -> None:
    error = MissingInput("train", "reference", "/store/artifacts/reference/12")
    text = str(error)
    assert "stage 'train' reads what stage 'reference' makes" in text
    assert "run `dama stage reference RUNFILE` first" in text
    named = str(error.naming("run.yaml --set train.seed=1"))
    assert named == text.replace("RUNFILE", "run.yaml --set train.seed=1")
