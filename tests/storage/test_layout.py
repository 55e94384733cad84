"""Artifacts are named by what made them."""

from __future__ import annotations

import pytest

from dama.storage.layout import artifact_digest, artifact_prefix, run_prefix


def test_the_name_moves_with_everything_that_made_it_and_nothing_else() -> None:
    name = artifact_digest("alpha", 1, {"form": "scores", "n": 1}, {"scores": "aa"})
    assert name == artifact_digest("alpha", 1, {"n": 1, "form": "scores"}, {"scores": "aa"})
    others = {
        artifact_digest("alpha", 2, {"form": "scores", "n": 1}, {"scores": "aa"}),
        artifact_digest("facts", 1, {"form": "scores", "n": 1}, {"scores": "aa"}),
        artifact_digest("alpha", 1, {"form": "scores", "n": 2}, {"scores": "aa"}),
        artifact_digest("alpha", 1, {"form": "scores", "n": 1}, {"scores": "ab"}),
        artifact_digest("alpha", 1, {"form": "scores", "n": 1}, {"facts": "aa"}),
    }
    assert len(others | {name}) == 6


def test_a_name_cannot_rest_on_something_that_is_no_number() -> None:
    with pytest.raises(ValueError, match=r"nan|Out of range"):
        artifact_digest("alpha", 1, float("nan"), {})


def test_places_below_the_root() -> None:
    assert (
        artifact_prefix("alpha", "0123456789abcdef" * 4) == "artifacts/alpha/0123456789abcdef0123456789abcdef"
    )
    assert run_prefix("my-run") == "runs/my-run"
