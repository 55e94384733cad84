"""The light half of dama loads nothing heavy, and quickly."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "torch", "transformers", "numpy", "pyarrow", "boto3", "botocore", "kubernetes", "matplotlib", "open_clip",
    "kubeflow", "torchvision", "datasets", "PIL", "deepspeed", "huggingface_hub",
)  # fmt: skip
RUNS = Path(__file__).parent / "runs"
LLAVA = str(RUNS / "llava-7b.yaml")
IMAGE = f"registry.example.org/x@sha256:{'0' * 64}"
IMAGES = ", ".join(f"{name}: '{IMAGE}'" for name in ("preprocess", "train", "control", "store"))
RENDER = ["render", LLAVA, "--set", "cluster.secret=keys", "--set", f"images={{{IMAGES}}}"]
PACKAGE = Path(__file__).parent.parent / "dama"
STAGES = sorted(f"dama.stages.{path.stem}" for path in (PACKAGE / "stages").glob("[a-z]*.py"))


def loaded(code: str) -> set[str]:
    """Return which heavy packages a fresh python holds after running `code`."""
    text = f"{code}\nimport json, sys\nsys.stderr.write(json.dumps([m for m in sys.modules if '.' not in m]))"
    result = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return set(json.loads(result.stderr)) & set(HEAVY)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["validate", LLAVA],
        ["plan", LLAVA],
        ["schema"],
        ["run", "--help"],
        ["hardness", "show", "--help"],
        RENDER,
    ],
    ids=lambda arguments: arguments[0],
)
def test_light_commands_load_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "from dama.cli.app import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit as end: assert end.code == 0, end.code"
    )
    assert loaded(code) == set()


def test_importing_the_command_line_and_every_stage_loads_nothing_heavy() -> None:
    assert "dama.stages.train" in STAGES
    assert loaded(f"import dama.cli.app, dama.demo.registry, {', '.join(STAGES)}") == set()


@pytest.mark.parametrize(
    "module", ["dama.spec.load", "dama.storage.uri", "dama.storage.commit", "dama.records"]
)
def test_the_lower_layers_load_nothing_heavy(module: str) -> None:
    assert loaded(f"import {module}") == set()


@pytest.mark.parametrize("arguments", [["--help"], ["validate", LLAVA], ["plan", LLAVA], RENDER])
def test_light_commands_answer_at_once(arguments: list[str]) -> None:
    # measuring coverage takes as long as the command itself
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "dama", *arguments], env=environ, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # processor time, so that a busy machine does not count; on an idle one it is the time that passes
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime <= 0.6
