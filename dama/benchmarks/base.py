"""What a benchmark is: questions about images, and a score for a model's answers. Text only."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

from dama.errors import DataError
from dama.records import Answer, BenchmarkResult, Question


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


def answers_by_id(benchmark: str, asked: Sequence[str], answers: Sequence[Answer]) -> dict[str, str]:
    """Return the answer of every question in the order asked; DataError unless each has exactly one."""
    counts = Counter(answer.id for answer in answers)
    known = set(asked)
    wrong = (
        ("lack an answer", [id for id in asked if not counts[id]]),
        ("are answered twice", [id for id in asked if counts[id] > 1]),
        ("were never asked", [id for id in counts if id not in known]),
    )
    found = [f"{len(ids)} {what} ({_named(ids)})" for what, ids in wrong if ids]
    if found:
        raise DataError(
            f"{benchmark}: questions that {' and '.join(found)}",
            wanted=f"one answer for each of {len(asked)} questions",
            do="generate the answers again",
        )
    texts = {answer.id: answer.text for answer in answers}
    return {id: texts[id] for id in asked}


def answers_digest(answers: dict[str, str]) -> str:
    """Return the sha256 (hex) of answers, whatever their order was."""
    return hashlib.sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()


def _named(ids: Sequence[str]) -> str:
    return ", ".join(ids[:3]) + (", …" if len(ids) > 3 else "")
