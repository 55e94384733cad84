"""The lock of images: what is in it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dama.errors import SpecError
from dama.spec.images import LOCK, NAMES, OURS, locked_images, read_lock, write_lock

DIGEST = "@sha256:" + 64 * "a"
PUSHED = {name: f"localhost:5000/dama/{name}:0.1.0{DIGEST}" for name in OURS}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock of our own, never pushed."""
    path = tmp_path / "images.lock"
    bases = "\n".join(f"{name} docker.io/x/{name}:1{DIGEST}" for name in NAMES if name not in OURS)
    path.write_text("# why\n\n" + bases + "\n" + "\n".join(f"{name} unpushed" for name in OURS) + "\n")
    return path


def test_the_lock_that_is_shipped_reads() -> None:
    images = read_lock()
    assert tuple(images) == NAMES
    assert "docker.io/versity/versitygw:" in images["store"]
    assert LOCK.suffix == ".lock"


def test_what_was_never_pushed_is_refused_with_the_command(lock: Path) -> None:
    with pytest.raises(SpecError) as caught:
        locked_images(lock=lock)
    assert [problem.path for problem in caught.value.problems] == [f"images.{name}" for name in OURS]
    assert "make push REGISTRY=..." in str(caught.value)


def test_pushed_images_and_the_store_are_what_a_run_starts(lock: Path) -> None:
    write_lock(PUSHED, lock)
    assert locked_images(lock=lock) == {**PUSHED, "store": f"docker.io/x/store:1{DIGEST}"}
    assert lock.read_text().startswith("# why\n\nbase docker.io/x/base:1@sha256:")


def test_pushing_again_replaces_one_line(lock: Path) -> None:
    write_lock(PUSHED, lock)
    newer = "registry.example.org/team/train:0.2.0@sha256:" + 64 * "b"
    write_lock({"train": newer}, lock)
    assert locked_images(lock=lock) == {
        **locked_images(lock=lock),
        "train": newer,
        "control": PUSHED["control"],
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("base docker.io/x/base:1", "line 4: 'docker.io/x/base:1'; wanted REGISTRY/PATH:TAG@sha256:DIGEST"),
        ("base docker.io/x/base@sha256:" + 64 * "a", "wanted REGISTRY/PATH:TAG@sha256:DIGEST"),
        ("base unpushed", "wanted REGISTRY/PATH:TAG@sha256:DIGEST"),
        ("base", "wanted NAME REFERENCE"),
        ("vase docker.io/x/base:1" + DIGEST, "line 4: 'vase'; wanted base"),
        ("store docker.io/x/base:1" + DIGEST, "'store' is there twice"),
    ],
)
def test_a_wrong_line_is_named(lock: Path, line: str, said: str) -> None:
    text = lock.read_text().splitlines()
    lock.write_text("\n".join([text[0], "", *text[3:], line]) + "\n")
    number = len(lock.read_text().splitlines())
    with pytest.raises(SpecError) as caught:
        read_lock(lock)
    assert said.replace("line 4", f"line {number}") in str(caught.value)


def test_every_problem_is_told_at_once(lock: Path) -> None:
    lock.write_text("base x\nother y\n")
    with pytest.raises(SpecError) as caught:
        read_lock(lock)
    assert len(caught.value.problems) == 2 + len(NAMES) - 1


def test_a_lock_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        read_lock(tmp_path / "none.lock")


def test_a_tag_without_digest_is_not_written(lock: Path) -> None:
    before = lock.read_text()
    with pytest.raises(SpecError, match="wanted a digest"):
        write_lock({"train": "localhost:5000/train:1"}, lock)
    assert lock.read_text() == before
