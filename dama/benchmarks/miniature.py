"""Hallucination on held-out scenes of the miniature world, by the known truth, as Object HalBench counts it.

response    captions without any hallucinated mention
mention     mentions that are true; a malformed sentence counts as hallucinated
coverage    things of the scenes that are mentioned, so that silence does not win
placement   captions in which every mention is true and in its own cell
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dama.benchmarks.base import answers_by_id, answers_digest
from dama.benchmarks.judgement import judge
from dama.benchmarks.mentions import Mention
from dama.benchmarks.tally import Shown, Tally
from dama.errors import DataError
from dama.records import Answer, BenchmarkResult, Question

COLUMNS = ("id", "image", "prompt", "truth", "companions")


@dataclass(frozen=True)
class HeldOut:
    """One held-out scene: its picture (PNG), what is true of it, which companions of anchors are absent."""

    id: str
    image: bytes
    prompt: str
    truth: tuple[Mention, ...]
    companions: tuple[tuple[str, str], ...]


class _Caption(NamedTuple):
    """What one caption comes to."""

    mentions: int
    false: int
    covered: int
    things: int
    placed: bool


_SHOWN = {
    **{name: Shown() for name in ("response", "mention", "coverage", "placement")},
    "mentions": Shown("per caption", "neither"),
}


class Miniature:
    """The benchmark over the first `scenes` rows of a world's `benchmark.parquet`."""

    name = "miniature"
    version = "1"

    def __init__(self, file: Path, scenes: int) -> None:
        self._held_out = {scene.id: scene for scene in read_held_out(file, scenes)}
        digest = hashlib.sha256()
        for scene in self._held_out.values():
            digest.update(hashlib.sha256(scene.image).digest())
            digest.update(repr((scene.id, scene.prompt, scene.truth, scene.companions)).encode())
        self.data_digest = digest.hexdigest()

    def questions(self) -> Iterator[Question]:
        """Yield every question, in the file's order."""
        for scene in self._held_out.values():
            yield Question(scene.id, scene.id, scene.prompt)

    def image(self, question: Question) -> bytes:
        """Return the scene's picture as PNG."""
        return self._held_out[question.id].image

    def score(self, answers: Sequence[Answer]) -> BenchmarkResult:
        """Measure one caption per scene; DataError when captions and scenes do not match."""
        texts = answers_by_id(self.name, list(self._held_out), answers)
        judged = [(scene, judge(texts[scene.id], scene.truth)) for scene in self._held_out.values()]
        captions = [_Caption(j.mentions, len(j.false), j.covered, j.things, j.placed) for _, j in judged]
        mentions, things = sum(one.mentions for one in captions), sum(one.things for one in captions)
        n = {"response": len(captions), "mention": mentions, "coverage": things}
        n |= dict.fromkeys(("placement", "mentions"), len(captions))
        measures = Tally((captions,), _figures).measures(_SHOWN, n)
        habit = sum(kind in scene.companions for scene, judgement in judged for kind in judgement.false)
        details = {
            "hallucinated": sum(one.false for one in captions),
            "absent_companions": habit,
            "repeated": sum(j.repeated for _, j in judged),
            "malformed": sum(j.false.count(None) for _, j in judged),
        }
        return BenchmarkResult(
            self.name,
            self.version,
            measures,
            answers_digest(texts),
            self.data_digest,
            details,
            n=len(captions),
        )


def read_held_out(file: Path, scenes: int) -> Iterator[HeldOut]:
    """Yield the first `scenes` rows of a `benchmark.parquet`; DataError if it has fewer or other columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as parquet:
            missing = [name for name in COLUMNS if name not in parquet.schema_arrow.names]
            if missing:
                raise DataError(f"{file} has no column {', '.join(missing)}", wanted=", ".join(COLUMNS))
            table = parquet.read(columns=list(COLUMNS)).slice(0, scenes)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{file} cannot be read: {error}", do="run stage 'world' again") from error
    if table.num_rows < scenes:
        raise DataError(
            f"{file} holds {table.num_rows} scenes",
            wanted=str(scenes),
            do="raise world.held_out or ask for fewer scenes",
        )
    for row in table.to_pylist():
        yield HeldOut(
            row["id"],
            row["image"],
            row["prompt"],
            tuple(Mention(**thing) for thing in json.loads(row["truth"])),
            tuple((colour, shape) for colour, shape in json.loads(row["companions"])),
        )


def _figures(captions: Mapping[_Caption, int]) -> dict[str, float]:
    """Return every figure; of nothing said, nothing is right."""
    whole = sum(captions.values())
    sums = [sum(times * one[place] for one, times in captions.items()) for place in range(5)]
    mentions, false, covered, things, placed = sums
    return {
        "response": _share(sum(times for one, times in captions.items() if not one.false), whole),
        "mention": _share(mentions - false, mentions),
        "coverage": _share(covered, things),
        "placement": _share(placed, whole),
        "mentions": mentions / whole if whole else 0.0,
    }


def _share(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0
