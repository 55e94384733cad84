"""Time and peak memory of one DPO step: shared rows against the usual concatenated forward.

    python tests/bench/step.py [--shape small] [--layers N ...] [--batch 2] [--repeats 5]

Forward and backward of one micro-batch, fp32, no gradient checkpointing. Memory is the most that the process
holds beyond the loaded model: activations, logits, gradients.
"""

from __future__ import annotations

import argparse
from functools import partial

from shapes import SHAPES, deeper
from table import Target, heading, interleaved, ratios, spread, table
from trial import run_trial

FASTER, SMALLER = Target("least", 3.0), Target("most", 0.5)


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", choices=["small", "minute"], default="small")
    parser.add_argument("--layers", type=int, nargs="*", help="text layers, one table each; the shape's own")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="timed steps in each repeat")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args(argv)
    for layers in asked.layers or [SHAPES[asked.shape].layers]:
        shape = deeper(SHAPES[asked.shape], layers)
        settings = {
            "shape": asked.shape,
            "layers": layers,
            "batch": asked.batch,
            "steps": asked.steps,
            "threads": asked.threads,
            "recompute": False,
        }
        heading(
            "One DPO step: shared rows against the usual concatenated forward",
            shape.line(),
            f"forward and backward of {asked.batch} preferences, fp32, {asked.threads} threads, no gradient "
            f"checkpointing; {asked.repeats} repeats in turn of {asked.steps} steps after one to warm up",
        )
        ways = {name: partial(run_trial, name, settings) for name in ("usual", "shared")}
        found = interleaved(ways, asked.repeats)
        table(
            ["way", "s a step", "preferences/s", "peak MiB over the model"],
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
        usual, shared = found["usual"], found["shared"]
        faster = ratios([t.mean for t in usual], [t.mean for t in shared])
        memory = ratios([t.peak_mib for t in shared], [t.peak_mib for t in usual])
        table(
            ["", "ratio", ""],
            [
                ["times faster", spread(faster), FASTER.verdict(faster)],
                ["of the memory", spread(memory), SMALLER.verdict(memory)],
            ],
        )


if __name__ == "__main__":
    main()
