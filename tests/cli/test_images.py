"""`dama images` and `dama bucket`, as a person types them."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import dama

from dama.spec.images import NAMES, OURS

NOWHERE = "127.0.0.1:9/dama/{}:1@sha256:" + 64 * "a"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock whose registry does not answer, with images of ours that were never pushed."""
    path = tmp_path / "images.lock"
    lines = [f"{name} {'unpushed' if name in OURS else NOWHERE.format(name)}" for name in NAMES]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_what_was_never_pushed_fails_with_the_command(lock: Path) -> None:
    result = dama("images", "verify", "--offline", "--lock", lock)
    assert result.returncode == 1
    assert result.stdout.count("make push REGISTRY=...") == len(OURS)
    assert result.stderr == (
        "dama: error: images that cannot be counted on: preprocess, train, control; to mend: see above\n"
    )


def test_pinning_makes_the_lock_whole(lock: Path) -> None:
    pushed = [f"{name}={NOWHERE.format(name)}" for name in OURS]
    assert dama("images", "pin", *pushed, "--lock", lock).returncode == 0
    result = dama("images", "verify", "--offline", "--lock", lock)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("not asked") == len(NAMES)


def test_a_registry_that_does_not_answer_is_told(lock: Path) -> None:
    result = dama("images", "verify", "--lock", lock)
    assert result.returncode == 1
    assert "127.0.0.1:9 does not answer" in result.stdout
    assert "base, store, preprocess, train, control" in result.stderr


@pytest.mark.parametrize(
    ("pushed", "said"),
    [
        ("other=" + NOWHERE.format("x"), "other: no image of ours; wanted preprocess, train, control"),
        ("train=localhost:5000/dama-train:1", "train: 'localhost:5000/dama-train:1'; wanted a digest"),
    ],
)
def test_a_wrong_pin_changes_nothing(lock: Path, pushed: str, said: str) -> None:
    before = lock.read_text()
    result = dama("images", "pin", pushed, "--lock", lock)
    assert result.returncode == 2
    assert said in result.stderr
    assert lock.read_text() == before


def test_a_folder_is_no_bucket(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("model: tiny\nmethod: dama\n")
    result = dama("bucket", tmp_path / "run.yaml")
    assert result.returncode == 1
    assert "is no bucket; wanted storage.uri: s3://bucket/prefix" in result.stderr
