"""Small trainings for tests: a folder with all that one reads, run at any layout."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WORKER = Path(__file__).parent / "worker.py"


def small_training(folder: Path, count: int = 40) -> Path:
    """Write a random LLaVA, `count` preferences with images, reference and α_D to `folder`."""
    import numpy as np
    from llavas import WORDS, random_llava
    from PIL import Image

    from dama.data.parquet import write_rows
    from dama.data.table import IMAGE_SCHEMA, IMAGES, PREFERENCE_SCHEMA, PREFERENCES
    from dama.records import ReferenceLogps
    from dama.train.reference import Reference, write_reference

    random = np.random.default_rng(0)
    random_llava(folder / "llava")
    data = folder / "data"
    data.mkdir()
    preferences, images, references, alphas, blob = [], [], [], {}, b""
    for n in range(count):
        buffer = io.BytesIO()
        Image.fromarray(random.integers(0, 255, (28, 28, 3), dtype=np.uint8)).save(buffer, "PNG")
        sha = hashlib.sha256(buffer.getvalue()).hexdigest()
        images.append({"sha256": sha, "file": "images-00000.bin", "offset": len(blob), "size": buffer.tell()})
        blob += buffer.getvalue()
        chosen, rejected = (" ".join(random.choice(WORDS, size=random.integers(1, 12))) for _ in range(2))
        preferences.append(
            {
                "id": f"p{n}",
                "image": sha,
                "prompt": "describe",
                "chosen": chosen,
                "rejected": rejected,
                "source": "",
            }
        )
        references.append(ReferenceLogps(f"p{n}", *(float(x) for x in random.normal(-30, 4, 2))))
        alphas[f"p{n}"] = float(random.uniform(0.6, 1.4))
    (data / "images-00000.bin").write_bytes(blob)
    write_rows(data / PREFERENCES, PREFERENCE_SCHEMA, iter(preferences))
    write_rows(data / IMAGES, IMAGE_SCHEMA, iter(images))
    (folder / "reference").mkdir()
    write_reference(folder / "reference", Reference(references, [], 0))
    (folder / "alpha.json").write_text(json.dumps(alphas))
    return folder


@dataclass(frozen=True)
class Result:
    """What a training left."""

    returncode: int
    metrics: list[dict[str, Any]]
    gaps: list[dict[str, Any]]
    resumed_from: int
    weights: Path
    log: str


def run_training(folder: Path, out: Path, **changes: Any) -> Result:
    """Train `folder` at one layout to the end; see `write_settings` for `changes`."""
    return finish_training(start_training(folder, out, **changes), out)


def write_settings(
    folder: Path,
    out: Path,
    *,
    ranks: int = 1,
    per_device: int = 16,
    accumulation: int = 1,
    zero: int = 0,
    steps: int = 3,
    method: dict[str, Any] | None = None,
    kill_after: int | None = None,
    poison: dict[str, Any] | None = None,
    of: dict[str, str] | None = None,
    store: Path | None = None,
    loggers: bool = False,
    refused: Sequence[int] = (),
    cut: bool = True,
    **train: Any,
) -> Path:
    """Write what the worker reads; `store` where checkpoints are not kept in `out`, which refuses files of
    the checkpoints of the steps `refused`; without `cut` every rank
    loads the whole model, ZeRO 3 or not."""
    out.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {
        "folder": str(folder),
        "out": str(out),
        "store": str(store or out),
        "of": of or {},
        "cut": cut,
        "refused": list(refused),
        "method": method or {},
        "train": {
            "batch": ranks * per_device * accumulation,
            "ranks": ranks,
            "per_device_batch": per_device,
            "accumulation": accumulation,
            "device": "cpu",
            "dtype": "float32",
            "max_steps": steps,
            "learning_rate": 1e-3,
            "max_length": 64,
            "gradient_checkpointing": False,
            "zero": {"stage": zero},
            "threads": 1,
            **train,
        },
    }
    if kill_after is not None:
        settings["kill_after"] = kill_after
    if poison is not None:
        settings["poison"] = poison
    settings["loggers"] = loggers
    path = out / "settings.json"
    path.write_text(json.dumps(settings))
    return path


def start_training(
    folder: Path,
    out: Path,
    *,
    processes: int | None = None,
    launcher: list[str] | None = None,
    packages: Path | None = None,
    **changes: Any,
) -> subprocess.Popen[str]:
    """Start a training in a session of its own; `processes` where not `ranks`, `launcher` where not ours;
    `packages` can be imported as well."""
    path = write_settings(folder, out, **changes)
    count = processes or int(changes.get("ranks", 1))
    ours = ["-m", "dama.stages.torchrun", str(count)] if count > 1 else []
    paths = [
        str(WORKER.parent.parent),
        str(packages or ""),
        *os.environ.get("PYTHONPATH", "").split(os.pathsep),
    ]
    return subprocess.Popen(
        [sys.executable, *(ours if launcher is None else launcher), str(WORKER), str(path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        start_new_session=True,
    )


def finish_training(process: subprocess.Popen[str], out: Path) -> Result:
    """Await a training and return what it left."""
    _, log = process.communicate(timeout=300)
    if not (out / "resumed.json").exists():
        return Result(process.returncode, [], [], 0, out / "weights.safetensors", log)
    rows = [
        [json.loads(line) for line in (out / f"{n}.jsonl").read_text().splitlines()]
        for n in ("metrics", "gaps")
    ]
    resumed = json.loads((out / "resumed.json").read_text())
    return Result(process.returncode, rows[0], rows[1], resumed, out / "weights.safetensors", log)


def assert_equal(one: Result, other: Result) -> None:
    """Kept sets exactly; losses, factors and weights to float32 rounding."""
    import pytest
    import torch
    from safetensors.torch import load_file

    assert len(one.metrics) == len(other.metrics)
    for ours, theirs in zip(one.gaps, other.gaps, strict=True):
        assert ours["ids"] == theirs["ids"]
        assert ours["kept"] == theirs["kept"]
        assert ours["beta"] == pytest.approx(theirs["beta"], rel=1e-5)
    for mine, yours in zip(one.metrics, other.metrics, strict=True):
        for name in ("loss", "alpha_model", "running_mean", "batch_mean", "reward_margin"):
            if mine[name] is None:  # plain DPO has no α_M and no running mean
                assert yours[name] is None
                continue
            assert mine[name] == pytest.approx(yours[name], rel=1e-5, abs=1e-6), name
        if mine["grad_norm"] is not None and yours["grad_norm"] is not None:
            assert mine["grad_norm"] == pytest.approx(yours["grad_norm"], rel=1e-5)
    weights, others = load_file(one.weights), load_file(other.weights)
    assert weights.keys() == others.keys()
    for name, weight in weights.items():
        assert torch.linalg.vector_norm(weight - others[name]) <= 1e-5 * torch.linalg.vector_norm(weight), (
            name
        )
