"""Preferences/s of plain DPO: our engine against TRL's DPOTrainer, on one model and one folder of data.

    python tests/bench/against_trl.py [--shape small] [--batch 2] [--repeats 3]

Both as their users run them: trainer, data loading, AdamW, clipping. Two differences are each side's own
design and stay in the time: TRL runs a frozen reference model in every step, because it refuses cached
reference log-probabilities for images; ours reads them from a file; what computing that file costs once is
shown beside it, spread over the paper's four epochs (a forward is a third of a forward and backward at most).
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

from folder import write_folder
from shapes import SHAPES
from table import Target, heading, interleaved, ratios, spread, table
from trial import run_trial

FASTER = Target("least", 3.0)
EPOCHS = 4


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", choices=["small", "minute"], default="small")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3, help="timed steps in each repeat")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args(argv)
    shape = SHAPES[asked.shape]
    heading(
        "Plain DPO: our engine against TRL's DPOTrainer",
        shape.line(),
        f"batch {asked.batch}, fp32, {asked.threads} threads, no gradient checkpointing, AdamW and clipping; "
        f"{asked.repeats} repeats in turn of {asked.steps} steps after one to warm up",
    )
    with tempfile.TemporaryDirectory(prefix="dama-bench-") as place:
        settings = {
            "folder": str(write_folder(Path(place), shape, asked.batch * (asked.steps + 1))),
            "steps": asked.steps,
            "threads": asked.threads,
            "method": {"name": "dpo"},
            "train": {
                "batch": asked.batch,
                "per_device_batch": asked.batch,
                "gradient_checkpointing": False,
            },
        }
        ways = {"TRL": partial(run_trial, "trl", settings), "ours": partial(run_trial, "engine", settings)}
        found = interleaved(ways, asked.repeats)
    table(
        ["trainer", "s a step", "preferences/s", "peak MiB over the model"],
        [
            [
                name,
                spread([t.mean for t in trials]),
                spread([asked.batch / t.mean for t in trials]),
                spread([t.peak_mib for t in trials], 0),
            ]
            for name, trials in found.items()
        ],
    )
    theirs, ours = [t.mean for t in found["TRL"]], [t.mean for t in found["ours"]]
    faster = ratios(theirs, ours)
    with_reference = [ratio / (1 + 1 / 3 / EPOCHS) for ratio in faster]
    table(
        ["", "ratio", ""],
        [
            ["times faster", spread(faster), FASTER.verdict(faster)],
            [f"reference included, {EPOCHS} epochs", spread(with_reference), FASTER.verdict(with_reference)],
        ],
    )


if __name__ == "__main__":
    main()
