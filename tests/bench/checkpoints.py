"""What checkpoints cost: time that training stands still for them, and throughput of their upload.

    python tests/bench/checkpoints.py [--steps 61] [--mib 256] [--repeats 3]

Stall: the engine trains the miniature world's LLaVA (steps so short that a checkpoint weighs most) with a
checkpoint every five steps to a local store, and without. A step that follows a checkpoint takes longer by
what training stood still; the sum of that over the time of all steps is the share. Beside it, because work in
the background can slow the steps between as well: the whole time with checkpoints against without.

Upload: the same files to a real S3 server on this machine, by `Checkpoints.save` (sha256 of every part and
the commit included) and by bare boto3, `upload_file` one after the other as it comes. The server is versitygw
where it is on PATH, else moto's, either way a process of its own.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

from folder import write_folder
from s3_process import BUCKET, Address, s3_server
from shapes import SHAPES
from table import Target, heading, interleaved, ratios, spread, table
from trial import Trial, run_trial

EVERY = 5
STALL, THROUGHPUT = Target("most", 0.05), Target("least", 0.8)
FILES = 4


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", choices=["tiny", "minute"], default="tiny")
    parser.add_argument("--steps", type=int, default=61, help="timed steps in each repeat")
    parser.add_argument("--mib", type=int, default=256, help="size of the uploaded checkpoint")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="dama-bench-") as place:
        _stall(asked, write_folder(Path(place) / "training", SHAPES[asked.shape], 64))
        _upload(asked, Path(place))


def _stall(asked: argparse.Namespace, folder: Path) -> None:
    heading(
        f"Training with a checkpoint every {EVERY} steps, local store",
        SHAPES[asked.shape].line(),
        f"our engine, DAMA, batch 16 in one pass, fp32, {asked.threads} threads; {asked.repeats} repeats in "
        f"turn of {asked.steps} steps after one to warm up",
    )
    ways = {}
    for name, every in (("without", 10**6), (f"every {EVERY}", EVERY)):
        settings: dict[str, Any] = {
            "folder": str(folder),
            "steps": asked.steps,
            "threads": asked.threads,
            "method": {"name": "dama"},
            "train": {
                "batch": 16,
                "per_device_batch": 16,
                "gradient_checkpointing": False,
                "save_every_steps": every,
            },
        }
        ways[name] = partial(run_trial, "engine", settings)
    found = interleaved(ways, asked.repeats)
    table(
        ["checkpoints", "ms a step, median", "ms a step that follows one", "s in all"],
        [
            [
                name,
                spread([1000 * median(_plain(t)) for t in trials], 1),
                spread([1000 * median(_after_saving(t)) for t in trials], 1) if name != "without" else "",
                spread([sum(t.seconds) for t in trials]),
            ]
            for name, trials in found.items()
        ],
    )
    stalls = [_stalled(t) for t in found[f"every {EVERY}"]]
    whole = ratios(
        [sum(t.seconds) for t in found[f"every {EVERY}"]], [sum(t.seconds) for t in found["without"]]
    )
    table(
        ["", "share", ""],
        [
            ["of the time that training stands still", spread(stalls, 3), STALL.verdict(stalls)],
            ["more time in all", spread([ratio - 1 for ratio in whole], 3), ""],
        ],
    )


def _after_saving(trial: Trial) -> list[float]:
    """Return the steps behind a checkpoint: the interval n (from 0) begins where step n + 1 ended."""
    return [seconds for n, seconds in enumerate(trial.seconds, 1) if n % EVERY == 0]


def _plain(trial: Trial) -> list[float]:
    return [seconds for n, seconds in enumerate(trial.seconds, 1) if n % EVERY]


def _stalled(trial: Trial) -> float:
    """Means, not medians: a stall that comes now and then counts, and noise that falls on both cancels."""
    more = mean(_after_saving(trial)) - mean(_plain(trial))
    return len(_after_saving(trial)) * more / sum(trial.seconds)


def _upload(asked: argparse.Namespace, place: Path) -> None:
    folder = place / "checkpoint"
    folder.mkdir()
    for n in range(FILES):
        with (folder / f"state-{n}").open("wb") as file:
            for _ in range(asked.mib // FILES):
                file.write(os.urandom(2**20))
    (place / "s3").mkdir()
    with s3_server(place / "s3") as server:
        heading(
            "Upload of a checkpoint, against bare boto3",
            f"{FILES} files, {asked.mib} MiB, to {server.program} on this machine; {asked.repeats} repeats "
            "in turn after one to warm up",
        )
        ways = {
            "bare boto3": partial(_bare, server, folder),
            "Checkpoints.save": partial(_ours, server, folder),
        }
        interleaved(ways, 1)
        found = interleaved(ways, asked.repeats)
    table(
        ["upload", "s", "MiB/s"],
        [
            [name, spread(seconds), spread([asked.mib / s for s in seconds], 0)]
            for name, seconds in found.items()
        ],
    )
    share = ratios(found["bare boto3"], found["Checkpoints.save"])
    table(["", "share", ""], [["of bare boto3's throughput", spread(share), THROUGHPUT.verdict(share)]])


def _bare(server: Address, folder: Path) -> float:
    client = server.client()
    started = time.perf_counter()
    for path in sorted(folder.iterdir()):
        client.upload_file(str(path), BUCKET, f"bare/{path.name}")
    seconds = time.perf_counter() - started
    for path in folder.iterdir():
        client.delete_object(Bucket=BUCKET, Key=f"bare/{path.name}")
    return seconds


def _ours(server: Address, folder: Path) -> float:
    from dama.storage.commit import delete_artifact
    from dama.train.checkpoint import Checkpoints

    store = server.store()
    checkpoints = Checkpoints(store, "artifacts/train/bench", keep_last=2)
    started = time.perf_counter()
    checkpoints.save(1, folder, {"step": 1, "ranks": 1})
    while checkpoints.steps() != [1]:  # what counts is the commit, whoever uploads
        time.sleep(0.01)
    seconds = time.perf_counter() - started
    delete_artifact(store, "artifacts/train/bench/checkpoints/step-000001")
    return seconds


if __name__ == "__main__":
    main()
