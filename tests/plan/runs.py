"""Run files and cases for the tests of `dama plan`."""

from __future__ import annotations

from pathlib import Path

from dama.plan.case import Case
from dama.plan.forecast import Asked, case_for
from dama.plan.sizes import shape_of
from dama.spec.load import parse
from dama.spec.run import RunSpec


def run(model: str, *overrides: str, method: str = "dama") -> RunSpec:
    """Return the preset's run with overrides."""
    return parse(f"model: {model}\nmethod: {method}\n", overrides, folder=Path("/"))


def case(model: str, *overrides: str, method: str = "dama") -> Case:
    """Return its case under the default tokens."""
    spec = run(model, *overrides, method=method)
    return case_for(spec, shape_of(spec.model), Asked())
