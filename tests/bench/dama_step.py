"""One DAMA step, K = 12 of N = 16: our engine against the released way; and what exactness costs.

    python tests/bench/dama_step.py [--shape small] [--repeats 3]

The released way runs chosen and rejected as rows of their own, with gradient checkpointing, and runs the
backward of the dropped as well. Ours runs all gaps without gradients first, then forward and backward of the
kept, on shared rows: (N + 3K)/4N = 0.81 of the work before anything is shared.

Exactness: statistics of the whole optimizer batch need every gap before any backward. A share that is one
micro-batch has them after its only forward; a share of several needs a pass without gradients first, one
forward in four when nothing is dropped, so 4/3 is what it should cost at most. That worst case is measured:
the same engine and batch, nothing dropped, one pass against two.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from folder import write_folder
from shapes import SHAPES
from table import Target, heading, interleaved, ratios, spread, table
from trial import Trial, run_trial

BATCH, KEEP = 16, 12
FASTER, COST = Target("least", 3.0), Target("most", 1.35)
OURS: dict[str, Any] = {"gradient_checkpointing": True, "passes": "auto"}
"""Gradient checkpointing is allowed to both; the engine's second pass leaves it out where memory allows."""
ONE_PASS: dict[str, Any] = {"per_device_batch": 4, "accumulation": 1, "passes": "one"}
TWO_PASSES: dict[str, Any] = {"per_device_batch": 2, "accumulation": 2, "passes": "two"}
"""A batch of four as one micro-batch, and under gradient accumulation."""


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", choices=["small", "minute"], default="small")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--micro", type=int, default=4, help="preferences run at a time, by both")
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="dama-bench-") as place:
        folder = str(write_folder(Path(place), SHAPES[asked.shape], 2 * BATCH))
        _against_the_release(asked, folder)
        _exactness(asked, folder)


def _against_the_release(asked: argparse.Namespace, folder: str) -> None:
    heading(
        f"One DAMA step, {KEEP} kept of {BATCH}: our engine against the released way",
        SHAPES[asked.shape].line(),
        f"micro-batches of {asked.micro}, fp32, {asked.threads} threads, AdamW and clipping in the time; "
        f"{asked.repeats} repeats in turn of one step after a warm-up",
    )
    release = {
        "shape": asked.shape,
        "batch": BATCH,
        "micro": asked.micro,
        "recompute": True,
        "steps": 1,
        "threads": asked.threads,
    }
    layout = {"batch": BATCH, "per_device_batch": asked.micro, "accumulation": BATCH // asked.micro}
    ours = _engine(asked, folder, {**layout, **OURS}, {"name": "dama", "keep": KEEP}, steps=1)
    ways = {
        "released way": partial(run_trial, "released", release),
        "ours": partial(run_trial, "engine", ours),
    }
    found = interleaved(ways, asked.repeats)
    table(
        ["way", "s a step", "preferences/s", "peak MiB over the model"],
        [_row(name, trials, BATCH) for name, trials in found.items()],
    )
    print(f"{found['ours'][0].note}\n")
    faster = ratios([t.mean for t in found["released way"]], [t.mean for t in found["ours"]])
    table(["", "ratio", ""], [["times faster", spread(faster), FASTER.verdict(faster)]])


def _exactness(asked: argparse.Namespace, folder: str) -> None:
    count = 4
    heading(
        "What exactness costs when nothing is dropped: two passes against one",
        SHAPES[asked.shape].line(),
        f"our engine, DAMA keeping {count} of {count}, fp32, {asked.threads} threads, no gradient "
        f"checkpointing; {asked.repeats} repeats in turn of two steps after one to warm up",
    )
    method = {"name": "dama", "keep": count}
    ways = {}
    for name, passes in (("one pass", ONE_PASS), ("two passes", TWO_PASSES)):
        train = {"batch": count, "gradient_checkpointing": False, **passes}
        ways[name] = partial(run_trial, "engine", _engine(asked, folder, train, method, steps=2))
    found = interleaved(ways, asked.repeats)
    table(
        ["passes", "s a step", "preferences/s", "peak MiB over the model"],
        [_row(name, trials, count) for name, trials in found.items()],
    )
    cost = ratios([t.mean for t in found["two passes"]], [t.mean for t in found["one pass"]])
    table(["", "ratio", ""], [["cost of the first pass", spread(cost), COST.verdict(cost)]])


def _engine(
    asked: argparse.Namespace, folder: str, train: dict[str, Any], method: dict[str, Any], *, steps: int
) -> dict[str, Any]:
    return {"folder": folder, "threads": asked.threads, "steps": steps, "method": method, "train": train}


def _row(name: str, trials: list[Trial], count: int) -> list[str]:
    return [
        name,
        spread([t.mean for t in trials]),
        spread([count / t.mean for t in trials]),
        spread([t.peak_mib for t in trials], 0),
    ]


if __name__ == "__main__":
    main()
