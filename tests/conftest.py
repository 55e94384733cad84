"""What several rooms' tests share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clip/, llava/, preferences.parquet and benchmark.parquet, made once per session."""
    from worlds import small_world as made

    return made(tmp_path_factory.mktemp("world") / "world")
