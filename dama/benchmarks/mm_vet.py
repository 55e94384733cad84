"""MM-Vet (Yu et al., arXiv 2308.02490): 218 questions that take six abilities, graded 0 to 1 by a judge.

File as published: mm-vet.json, an object from id to imagename, question, answer (the truth, with <AND> and
<OR>) and capability; answers are an object from id to text. The judge sees one table row, question, truth and
prediction, and completes it with the correctness.

    total                               100 · mean grade
    rec, ocr, know, gen, spat, math     the same over the questions that take that ability

The official evaluator takes the reply's text up to the first space as a number from 0 to 1. While that
fails it asks again with a sentence more, five times, at temperatures 0, 0.5, 1, 1.5 and 2, and does not
look at the last reply: the grade is then 0. Figures are rounded to one decimal. That is `official`.
`robust` also reads `Correctness: 0.5`, `0.5.` and code fences, looks at every reply, and leaves a question
out of the means if none of them can be read. Asking again follows the official rule in both, so that both
see the same replies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dama.benchmarks.asking import Asked, Asker
from dama.benchmarks.base import Mode, answers_by_id
from dama.benchmarks.files import BenchmarkFiles, take
from dama.benchmarks.judged import ask, judged_result
from dama.benchmarks.own_prompt import judge_prompt
from dama.benchmarks.tally import Shown, Tally
from dama.records import Answer, BenchmarkResult, Question

ABILITIES = ("rec", "ocr", "know", "gen", "spat", "math")
_SHOWN = {name: Shown() for name in ("total", *ABILITIES)}
_FILE, _SCRIPT = "mm-vet.json", "mm-vet_evaluator.py"
_ASKED_AGAIN = 5
_AGAIN = "\nThe correctness as one number: "
_NUMBER = re.compile(r"(?<![\w./])(?:0(?:\.\d+)?|1(?:\.0+)?|\.\d+)(?![\w/]|\.\d)")


class Row(NamedTuple):
    """One question, as published."""

    image: str
    question: str
    truth: str
    abilities: tuple[str, ...]


class Graded(NamedTuple):
    """One graded answer; the grade is None where no reply could be read."""

    abilities: tuple[str, ...]
    grade: float | None


class MMVet:
    """MM-Vet."""

    name = "mm-vet"
    version = "1"

    def __init__(
        self,
        folder: Path,
        *,
        asker: Asker | None = None,
        images: Path | None = None,
        mode: Mode = "robust",
        partial: bool = False,
    ) -> None:
        """Read the questions; DataError when the file is not as published."""
        self._files = BenchmarkFiles(self.name, folder, images)
        self._asker, self._mode, self._partial = asker, mode, partial
        self._rows: dict[str, Row] = {}
        rows = self._files.json(_FILE)
        if not isinstance(rows, dict):
            raise self._files.malformed(_FILE, "is no object from id to question")
        for id, row in rows.items():
            image, question, truth, abilities = take(
                self._files, _FILE, row, "imagename", "question", "answer", "capability"
            )
            known = tuple(name for name in ABILITIES if name in abilities)
            self._rows[str(id)] = Row(str(image), str(question), str(truth), known)
        self._prompt = judge_prompt(self._files, _SCRIPT, "prompt", ours="mm_vet", version=self.version)
        self._room = 3 if self._prompt.theirs else 16  # 3 is the evaluator's own: a number and nothing else
        self.data_digest = self._files.digest()

    def questions(self) -> Iterator[Question]:
        """Yield every question, in the file's order."""
        for id, row in self._rows.items():
            yield Question(id, row.image, row.question)

    def image(self, question: Question) -> bytes:
        """Return the question's image."""
        return self._files.image(question.id, question.image)

    def score(self, answers: Sequence[Answer]) -> BenchmarkResult:
        """Have the answers judged; DataError when they do not fit, JudgeError without replies."""
        texts = answers_by_id(self.name, list(self._rows), answers, partial=self._partial)

        def turn(id: str, replies: tuple[str, ...]) -> Asked | None:
            return self._next(id, texts[id], replies)

        judged = ask(self._asker, self.name, list(texts), turn)
        replies = {id: judged.texts(id) for id in texts if id in judged.replies}
        robust = [Graded(self._rows[id].abilities, read_grade(said)) for id, said in replies.items()]
        official = [Graded(self._rows[id].abilities, official_grade(said)) for id, said in replies.items()]
        unread = [id for id, graded in zip(replies, robust, strict=True) if graded.grade is None]
        graded = [one.abilities for one in robust if one.grade is not None]
        n = {"total": len(graded), **{name: sum(name in own for own in graded) for name in ABILITIES}}
        tallies: dict[Mode, Tally[Graded]] = {
            "robust": Tally((robust,), figures),
            "official": Tally((official,), official_figures),
        }
        return judged_result(
            self,
            self._mode,
            texts,
            judged,
            tallies,
            _SHOWN,
            n,
            asked=len(self._rows),
            unread=unread,
            details={"prompt": self._prompt.source},
        )

    def _next(self, id: str, answer: str, replies: tuple[str, ...]) -> Asked | None:
        """Return the prompt, and after replies that the official evaluator cannot read, the longer one."""
        if len(replies) > _ASKED_AGAIN or any(_first_word(reply) is not None for reply in replies):
            return None
        row = self._rows[id]
        truth = row.truth.replace("<AND>", " <AND> ").replace("<OR>", " <OR> ")
        prompt = self._prompt.text + "\n" + " | ".join([row.question, truth, answer, ""])
        if replies:
            prompt += _AGAIN
        return Asked(
            (("user", prompt),), temperature=max(0.0, 0.5 * (len(replies) - 1)), max_tokens=self._room
        )


def read_grade(replies: Sequence[str]) -> float | None:
    """Return the grade of the first reply that holds exactly one number from 0 to 1, None without one."""
    for reply in replies:
        grades = {float(number) for number in _NUMBER.findall(reply)}
        if len(grades) == 1:
            return grades.pop()
    return None


def official_grade(replies: Sequence[str]) -> float:
    """Return the grade as the official evaluator reads it; its last reply is never looked at."""
    grades = (_first_word(reply) for reply in replies[:_ASKED_AGAIN])
    return next((grade for grade in grades if grade is not None), 0.0)


def _first_word(reply: str) -> float | None:
    try:
        grade = float(reply.split(" ")[0].strip())
    except ValueError:
        return None
    return grade if 0.0 <= grade <= 1.0 else None


def figures(graded: Mapping[Graded, int]) -> dict[str, float]:
    """Return the mean grade in percent, in all and by ability, of what could be read."""
    found = {}
    for name in _SHOWN:
        own = [
            (one.grade, times)
            for one, times in graded.items()
            if one.grade is not None and (name == "total" or name in one.abilities)
        ]
        whole = sum(times for _, times in own)
        if whole:
            found[name] = 100 * sum(grade * times for grade, times in own) / whole
    return found


def official_figures(graded: Mapping[Graded, int]) -> dict[str, float]:
    """Return the same, rounded to one decimal."""
    return {name: round(value, 1) for name, value in figures(graded).items()}
