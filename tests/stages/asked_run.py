"""A small measured run, and the command that makes one of its stages: for tests that kill it at work.

    python asked_run.py STAGE RUNFILE [i/n]

The model is a stand-in that answers with what it sees and how it is asked, slowly; shards hold two questions.
The world of the run must be committed (its artifact needs `benchmark.parquet` only).
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from dama.records import Answer, Question
from dama.spec.load import load
from dama.spec.run import RunSpec
from dama.stages import baseline, baseline_answers
from dama.stages.answering import Answering
from dama.stages.base import Planned, Stage, StageContext, plan, run_stage
from dama.stages.launch import live_as_child
from dama.stages.shards import InShards
from dama.stages.share import Share


class Echo:
    """Answers every question with a digest of picture and prompt, slowly where PAUSE says so."""

    opened = 0

    def __init__(self, spec: RunSpec, folder: Path) -> None:
        type(self).opened += 1

    def answer(
        self,
        questions: Sequence[Question],
        image: Callable[[Question], Image.Image],
        advance: Callable[[int], None] = lambda count: None,
    ) -> list[Answer]:
        answers = []
        for question in questions:
            time.sleep(float(os.environ.get("PAUSE", "0")))
            seen = image(question).tobytes() + question.prompt.encode()
            answers.append(Answer(question.id, f"«{hashlib.sha256(seen).hexdigest()}»"))
            advance(1)
        return answers


def in_shards_of(most: int) -> Stage:
    """Return stage `baseline-answers` with the stand-in for a model, in shards of `most` questions."""

    def begin(context: StageContext) -> Answering:
        return Answering(context, lambda: Path("none"), opened_by=Echo, most=most)

    return replace(baseline_answers.STAGE, run=InShards(begin))


WORLD = Stage("world", 1, lambda spec: (), lambda spec: "world", lambda context: {}, "world")


def planned(spec: RunSpec, most: int = 2) -> dict[str, Planned]:
    return plan(spec, (WORLD, in_shards_of(most), baseline.STAGE))


def main(stage: str, runfile: str, share: str = "0/1") -> None:
    live_as_child()
    spec = load(Path(runfile))
    whole = planned(spec)
    run_stage(spec, whole[stage], whole, Share.parse(share))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background is deaf to it
    main(*sys.argv[1:])
