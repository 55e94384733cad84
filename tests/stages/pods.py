"""The stages up to alpha over a strewn dataset, and the command that a pod runs: the real ones, save that
the scorer only hashes.

    python pods.py preprocess RUNFILE [--shard I/N]
    python pods.py stage NAME RUNFILE --frozen [--shard I/N]

Environment: PACE seconds that every shard takes longer; DIE="STAGE" kills the stage's process when all its
shards are committed and the artifact is not; NOTES a folder where every shard that is made leaves a file.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import secrets
import signal
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from dama.errors import DamaError
from dama.records import Facts, PairScore, Preference
from dama.spec.load import load
from dama.stages import alpha, data, facts, scores
from dama.stages.base import StageContext
from dama.stages.launch import live_as_child
from dama.stages.pipeline import run_all, run_one
from dama.stages.shards import InShards, Work
from dama.stages.share import Share

COUNT = 2600
"""Preferences of the dataset: six shards."""
_IMAGES = 40


class Hashed:
    """A scorer that looks at texts only: scores between 15 and 31."""

    def score(self, items: Iterable[tuple[Preference, Facts]], images: object) -> Iterator[PairScore]:
        """Yield scores made of the facts' letters."""
        for preference, split in items:
            yield PairScore(preference.id, _hashed(split.chosen), _hashed(split.rejected))

    def account(self) -> dict[str, Any]:
        """Say who it is."""
        return {"scorer": {"engine": "hashed"}}


def _hashed(texts: tuple[str, ...]) -> tuple[float, ...]:
    return tuple(15.0 + zlib.crc32(text.encode()) % 1600 / 100 for text in texts)


class Watched:
    """Work that takes its time, notes what it makes, and dies when it is told to."""

    def __init__(self, name: str, work: Work) -> None:
        self._name, self._work = name, work
        self.title, self.sizes = work.title, work.sizes

    def make(self, shard: int, out: Path, advance: Callable[[int], None]) -> Mapping[str, Any]:
        """Make a shard."""
        time.sleep(float(os.environ.get("PACE", "0")))
        if notes := os.environ.get("NOTES"):
            (Path(notes) / f"{self._name}-{shard}-{secrets.token_hex(4)}").touch()
        return self._work.make(shard, out, advance)

    def total(self, metas: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Sum up, which is the last thing before the commit."""
        if os.environ.get("DIE") == self._name:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._work.total(metas)


def _scoring(context: StageContext) -> Work:
    return Watched("scores", scores.Scoring(context, lambda _: Hashed()))


def _splitting(context: StageContext) -> Work:
    return Watched("facts", facts.Splitting(context))


STAGES = (
    data.STAGE,
    replace(facts.STAGE, run=InShards(_splitting)),
    replace(scores.STAGE, run=InShards(_scoring)),
    alpha.STAGE,
)


def write_dataset(folder: Path, count: int = COUNT) -> Path:
    """Write rows whose images are strewn about, one of them with more rows than a shard holds."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(_IMAGES):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), (number, 90, 9)).save(buffer, "PNG")
        (folder / f"{number}.png").write_bytes(buffer.getvalue())
    rows = [
        {
            "image": f"{0 if number % 4 == 0 else number * 7 % _IMAGES}.png",
            "prompt": "What?",
            "chosen": f"A star. It is number {number}. " + "A wall is near. " * (number % 3),
            "rejected": f"A circle {number}. " + "It is red. " * (number % 2),
        }
        for number in range(count)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "rows.jsonl"


def write_run(folder: Path, rows: Path, storage: Mapping[str, Any] | None = None) -> Path:
    """Write a run file into `folder`; its store lies beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    run = {
        "name": "pods",
        "model": {"kind": "hub", "id": "owner/name", "revision": "a0" * 20},
        "data": {"kind": "jsonl", "uri": str(rows)},
        "storage": {"uri": "store"} if storage is None else storage,
        "cluster": {"gpus": 4},
    }
    (folder / "run.yaml").write_text(json.dumps(run))
    return folder / "run.yaml"


def main() -> int:
    """Do what the command line says, as `dama` does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=("preprocess", "stage"))
    parser.add_argument("names", nargs="+")
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--shard")
    asked = parser.parse_args()
    runfile = Path(asked.names[-1])
    share = Share.parse(asked.shard) if asked.shard else None
    try:
        if asked.verb == "stage":
            live_as_child()
            outcome = run_one(load(runfile), asked.names[0], STAGES, share=share)
            if outcome.awaits is not None:
                print(f"{asked.names[0]}: {outcome.awaits}")
        else:
            run_all(
                load(runfile), STAGES, Console(soft_wrap=True), program=(__file__,), goal="alpha", share=share
            )
    except DamaError as error:
        sys.stderr.write(f"pods: error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
