"""LLaVA-Bench (Liu et al., arXiv 2304.08485): a judge grades the answer beside that of a text-only GPT-4.

Files as published, in one of two sets: COCO (qa90_questions.jsonl, qa90_gpt4_answer.jsonl, context.jsonl
whose rows have captions and boxes) or In-the-Wild (questions.jsonl, answers_gpt4.jsonl, context.jsonl with
one caption). The judge sees the context, the question and both answers, GPT-4's first, and grades both from
1 to 10 on the first line of its reply.

    relative score of a category    100 · (mean grade of the model) / (mean grade of GPT-4)

for conv, detail, complex, and all.

The official scripts (eval_gpt_review_visual.py or _bench.py, summarize_gpt_review.py) read the first line,
commas as spaces, split at single spaces; unless that gives exactly two numbers both grades are -1, which
enter the means; means are rounded to three decimals before they are divided, the quotient to one. That is
`official`. `robust` reads `8, 9`, code fences, empty first lines and `Assistant 1: 8, Assistant 2: 9`, and
leaves replies it cannot read out of the means. The prompts are those of rule.json and of the script where
these lie beside the data, and ours otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dama.benchmarks.asking import Asked, Asker
from dama.benchmarks.base import Mode, answers_by_id
from dama.benchmarks.files import BenchmarkFiles, take
from dama.benchmarks.judged import ask, judged_result
from dama.benchmarks.own_prompt import by_us, our_prompt, own_system_message
from dama.benchmarks.tally import Shown, Tally
from dama.records import Answer, BenchmarkResult, Question

CATEGORIES = ("conv", "detail", "complex")
_SHOWN = {name: Shown() for name in ("all", *CATEGORIES)}
_QUESTIONS = ("qa90_questions.jsonl", "questions.jsonl")
_REFERENCE = ("qa90_gpt4_answer.jsonl", "answers_gpt4.jsonl")
_SCRIPTS = {False: "eval_gpt_review_visual.py", True: "eval_gpt_review_bench.py"}

_ROLE = "Assistant"
_SYSTEM = "You check the quality of answers, helpfully and precisely."
_CONTEXT = {
    False: "five captions and the boxes (x1, y1, x2, y2 from 0 to 1) of the objects in it",
    True: "a few sentences that describe it",
}
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w])")


class Row(NamedTuple):
    """One question with what the judge sees of it."""

    image: str
    question: str
    category: str
    context: str
    reference: str


class Graded(NamedTuple):
    """Grades of GPT-4 and of the model for one question; None where the reply could not be read."""

    category: str
    grades: tuple[float, float] | None


class LlavaBench:
    """LLaVA-Bench, COCO or In-the-Wild, whichever the folder holds."""

    name = "llava-bench"
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
        """Read questions, contexts and GPT-4's answers; DataError when a file is not as published."""
        self._files = BenchmarkFiles(self.name, folder, images)
        self._asker, self._mode, self._partial = asker, mode, partial
        contexts = {}
        self._wild = False
        for row in self._files.jsonl("context.jsonl"):
            (image,) = take(self._files, "context.jsonl", row, "image")
            self._wild = "caption" in row
            contexts[str(image)] = self._context(row)
        reference = {}
        for row in self._files.jsonl(*_REFERENCE):
            id, text = take(self._files, _REFERENCE[0], row, "question_id", "text")
            reference[str(id)] = str(text)
        self._rows: dict[str, Row] = {}
        for row in self._files.jsonl(*_QUESTIONS):
            id, image, text, category = take(
                self._files, _QUESTIONS[0], row, "question_id", "image", "text", "category"
            )
            if str(image) not in contexts or str(id) not in reference or category not in CATEGORIES:
                raise self._files.malformed(
                    _QUESTIONS[0],
                    f"asks question {id} ({category}) without context, GPT-4's answer or known category",
                )
            self._rows[str(id)] = Row(
                str(image), str(text), category, contexts[str(image)], reference[str(id)]
            )
        self._read_prompts()
        self.data_digest = self._files.digest()

    def questions(self) -> Iterator[Question]:
        """Yield every question, in the file's order."""
        for id, row in self._rows.items():
            yield Question(id, row.image, row.question)

    def image(self, question: Question) -> bytes:
        """Return the question's image, under its own name or as COCO 2014 names it."""
        return self._files.image(question.id, question.image, f"COCO_val2014_{question.image}")

    def score(self, answers: Sequence[Answer]) -> BenchmarkResult:
        """Have the answers judged; DataError when they do not fit, JudgeError without replies."""
        texts = answers_by_id(self.name, list(self._rows), answers, partial=self._partial)

        def turn(id: str, replies: tuple[str, ...]) -> Asked | None:
            if replies:
                return None
            messages = (("system", self._system), ("user", self._filled(id, texts[id])))
            return Asked(messages, temperature=0.2, max_tokens=1024)

        judged = ask(self._asker, self.name, list(texts), turn)
        replies = {id: judged.texts(id)[0] for id in texts if id in judged.replies}
        robust = [Graded(self._rows[id].category, read_grades(text)) for id, text in replies.items()]
        official = [Graded(self._rows[id].category, official_grades(text)) for id, text in replies.items()]
        unread = [id for id, graded in zip(replies, robust, strict=True) if graded.grades is None]
        categories = [graded.category for graded in robust if graded.grades is not None]
        n = {"all": len(categories), **{name: categories.count(name) for name in CATEGORIES}}
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
            details={"set": "in the wild" if self._wild else "coco", "prompt": self._prompt_of},
        )

    def _context(self, row: Mapping[str, Any]) -> str:
        if "caption" in row:
            captions = row["caption"]
            return captions if isinstance(captions, str) else "\n".join(captions)
        captions, instances = take(self._files, "context.jsonl", row, "captions", "instances")
        boxes = "\n".join(f"{one['category']}: {one['bbox']}" for one in instances)
        return "\n".join(captions) + "\n\n" + boxes

    def _read_prompts(self) -> None:
        script = _SCRIPTS[self._wild]
        system = own_system_message(self._files, script)
        self._system = _SYSTEM if system is None else system
        rule = our_prompt("llava_bench").rstrip("\n").format(context=_CONTEXT[self._wild])
        self._rules = dict.fromkeys(CATEGORIES, (_ROLE, rule))
        names = [by_us(self.version) if system is None else script]
        if self._files.find("rule.json") is not None:
            rules = self._files.json("rule.json")
            for category in CATEGORIES:
                key = f"llava_bench_{category}" if self._wild else category
                (own,) = take(self._files, "rule.json", rules, key)
                self._rules[category] = (str(own["role"]), str(own["prompt"]))
            names.append("rule.json")
        self._prompt_of = " and ".join(names)

    def _filled(self, id: str, answer: str) -> str:
        row = self._rows[id]
        role, rule = self._rules[row.category]
        blocks = [f"[Context]\n{row.context}\n\n[Question]\n{row.question}\n\n"]
        for number, text in ((1, row.reference), (2, answer)):
            blocks.append(f"[{role} {number}]\n{text}\n\n[End of {role} {number}]\n\n")
        return "".join([*blocks, f"[System]\n{rule}\n\n"])


def read_grades(reply: str) -> tuple[float, float] | None:
    """Return both grades of a reply, None when its first line of words does not hold exactly two."""
    lines = (line.strip() for line in reply.splitlines())
    first = next((line for line in lines if line and not line.startswith("```")), "")
    bare = re.sub(r"(?i)assistant\s*[12]\s*[:=]?|/\s*10\b", " ", first)
    grades = [float(number) for number in _NUMBER.findall(bare)]
    if len(grades) != 2 or not all(0 <= grade <= 10 for grade in grades):
        return None
    return grades[0], grades[1]


def official_grades(reply: str) -> tuple[float, float]:
    """Return both grades as the official script reads them, -1 twice where it cannot."""
    words = reply.split("\n", 1)[0].replace(",", " ").split(" ")
    try:
        return (float(words[0]), float(words[1])) if len(words) == 2 else (-1.0, -1.0)
    except ValueError:
        return -1.0, -1.0


def figures(graded: Mapping[Graded, int]) -> dict[str, float]:
    """Return the relative scores of what could be read, in percent."""
    return {name: 100 * ours / theirs for name, (theirs, ours) in _means(graded).items() if theirs}


def official_figures(graded: Mapping[Graded, int]) -> dict[str, float]:
    """Return the relative scores as the official script rounds them."""
    means = {name: (round(theirs, 3), round(ours, 3)) for name, (theirs, ours) in _means(graded).items()}
    return {name: round(ours / theirs * 100, 1) for name, (theirs, ours) in means.items() if theirs}


def _means(graded: Mapping[Graded, int]) -> dict[str, tuple[float, float]]:
    """Return the mean grades of GPT-4 and of the model, by category and for all."""
    found = {}
    for name in _SHOWN:
        own = [
            (one.grades, times)
            for one, times in graded.items()
            if one.grades is not None and name in ("all", one.category)
        ]
        whole = sum(times for _, times in own)
        if whole:
            found[name] = (
                sum(grades[0] * times for grades, times in own) / whole,
                sum(grades[1] * times for grades, times in own) / whole,
            )
    return found
