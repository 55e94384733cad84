"""A run to report."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic_run import make_run

from dama.report.view import RunView


@pytest.fixture
def view(tmp_path: Path) -> RunView:
    return make_run(tmp_path / "run", steps=40)
