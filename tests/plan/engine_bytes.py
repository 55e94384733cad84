"""Bytes that DeepSpeed really takes for a small LLaVA, and the case that predicts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from engine_worker import ANSWER, CONFIG, PREFERENCES, PROMPT_TEXT

from dama.model.shape import model_shape
from dama.plan.case import Case, case_of
from dama.spec.load import parse

WORKER = Path(__file__).parent / "engine_worker.py"


def small_case(stage: int, ranks: int, dtype: str, recompute: bool) -> Case:
    """Return the case of `measured` with the same arguments."""
    spec = parse(
        "model: {kind: local, path: x}\ndata: {kind: jsonl, uri: x}\nmethod: dpo\nhardness: null\n",
        [
            f"train.batch={ranks * PREFERENCES}",
            f"train.ranks={ranks}",
            f"train.per_device_batch={PREFERENCES}",
            f"train.zero.stage={stage}",
            f"train.dtype={dtype}",
            f"train.gradient_checkpointing={str(recompute).lower()}",
        ],
        folder=Path("/"),
    )
    return case_of(spec, model_shape(CONFIG), PROMPT_TEXT, ANSWER, long=1)


def measured(folder: Path, stage: int, ranks: int, dtype: str, recompute: bool) -> dict[str, int]:
    """Return what rank 0 counted."""
    settings = {
        "batch": ranks * PREFERENCES,
        "ranks": ranks,
        "per_device_batch": PREFERENCES,
        "zero": {"stage": stage},
        "gradient_checkpointing": recompute,
        "dtype": dtype,
        "out": str(folder / "found.json"),
    }
    file = folder / "settings.json"
    file.write_text(json.dumps(settings))
    command = [sys.executable, str(WORKER), str(file)]
    if ranks > 1:
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
        command = [sys.executable, *torchrun, str(WORKER), str(file)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr
    return dict(json.loads((folder / "found.json").read_text()))
