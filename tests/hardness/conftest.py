"""One tiny CLIP for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local open_clip folder, made once."""
    from clips import write_tiny_clip

    return write_tiny_clip(tmp_path_factory.mktemp("clip") / "model")
