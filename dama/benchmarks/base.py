"""What a benchmark is: questions about images, and a score for a model's answers. Text only."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from dama.errors import DataError
from dama.records import Answer, BenchmarkResult, Question

Mode = Literal["robust", "official"]
"""`official` counts as the benchmark's own script does; `robust` as its authors meant it."""


class Benchmark(Protocol):
    """A set of questions and the way their answers are scored; raised versions change figures."""

    name: str
    version: str
    data_digest: str
    """sha256 (hex) of all that is asked and known."""

    def questions(self) -> Iterator[Question]:
        """Yield every question, in the benchmark's order."""
        ...

    def image(self, question: Question) -> bytes:
        """Return the question's image as an encoded file."""
        ...

    def score(self, answers: Sequence[Answer]) -> BenchmarkResult:
        """Score one answer per question, in any order.

        Raises DataError naming questions without an answer, answered twice, or never asked.
        """
        ...


def answers_by_id(
    benchmark: str, asked: Sequence[str], answers: Sequence[Answer], *, partial: bool = False
) -> dict[str, str]:
    """Return answers by question, in the order asked; DataError unless each has exactly one.

    With `partial` questions without an answer are left out, as long as there is any; the rest is as strict.
    """
    counts = Counter(answer.id for answer in answers)
    known = set(asked)
    missing = [id for id in asked if not counts[id]]
    strange = [id for id in counts if id not in known]
    twice = [id for id in asked if counts[id] > 1]
    wrong = (
        ("lack an answer", [] if partial and answers else missing),
        ("are answered twice", twice),
        ("were never asked", strange),
    )
    found = [f"{what}: {len(ids):,} ({_named(ids)})" for what, ids in wrong if ids]
    if found:
        raise DataError(
            f"{benchmark}: questions that {', '.join(found)}",
            wanted=f"one answer for each of {len(asked):,} questions",
            do=_mending(len(strange), len(counts), bool(missing) and not twice, partial),
        )
    texts = {answer.id: answer.text for answer in answers}
    return {id: texts[id] for id in asked if id in texts}


def answers_digest(answers: dict[str, str]) -> str:
    """Return the sha256 (hex) of answers, whatever their order was."""
    return hashlib.sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()


def _mending(strange: int, given: int, only_missing: bool, partial: bool) -> str:
    """Return what a person can do about answers that do not fit the questions."""
    if given and 2 * strange >= given:
        return "see whether these are answers to another benchmark, or to another part of this one"
    if only_missing and not strange and not partial:
        return "generate the answers again, or score what is there (`dama score --allow-partial`)"
    return "generate the answers again"


def _named(ids: Sequence[str]) -> str:
    return ", ".join(ids[:3]) + (", …" if len(ids) > 3 else "")
