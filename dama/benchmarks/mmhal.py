"""MMHal-Bench (Sun et al., arXiv 2309.14525): 96 questions, each answer rated 0 to 6 by a judge.

File as published: mmhal-bench_answer_template.json (image_id, question_type, image_content, question,
gt_answer); answers are that file with `model_answer` filled in, or any other form by image_id. The judge
sees what is in the image, the question, a person's answer and the model's, explains itself and ends in
`Rating: n`: 6 to 3 say no hallucination, from very informative with good analysis to not informative; 2 to
0 say hallucination, from very informative to not informative.

    score      mean rating
    hall       share of answers rated below 3
    by type    mean rating of each of the eight types of questions

The official script (eval_gpt4.py) looks for `rating: n` for every n in the reply's lower-cased text; with
none, or with several, the rating is 0, so that an unreadable reply counts as the worst hallucination. It
tells types by place, i mod 8, and prints two decimals, the rate as a fraction. All of that is `official`.
`robust` reads `Rating:4`, `**Rating**: 4` and the like, takes the last rating where a reply names several
(not where it merely lists the scale), tells types by question_type, and leaves replies it cannot read out
of the means.
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

TYPES = (
    "attribute", "adversarial", "comparison", "counting", "relation", "environment", "holistic", "other",
)  # fmt: skip
"""The eight types of questions, in the order in which they take turns."""

_FILE = "mmhal-bench_answer_template.json"
_SCRIPT = "eval_gpt4.py"
_SHOWN = {
    "score": Shown(unit="of 6"),
    "hall": Shown(better="lower"),
    **{f"score_{kind}": Shown(unit="of 6") for kind in TYPES},
}
_RATING = re.compile(r"rating\W*(?:is|of)?\W*([0-6])(?![\d])(?!\.\d)(?!\s*-\s*[0-6])")


class Row(NamedTuple):
    """One question, as published."""

    image: str
    source: str
    content: str
    question: str
    truth: str
    type: str


class Rated(NamedTuple):
    """One rated answer; the rating is None where the reply could not be read."""

    type: str
    rating: int | None


class MMHal:
    """MMHal-Bench."""

    name = "mmhal"
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
        for row in self._files.json(_FILE):
            image, content, question, truth, kind = take(
                self._files, _FILE, row, "image_id", "image_content", "question", "gt_answer", "question_type"
            )
            source = str(row.get("image_src", "")).rsplit("/", 1)[-1]
            self._rows[str(image)] = Row(
                str(image), source, ", ".join(content), str(question), str(truth), str(kind)
            )
        prompt = judge_prompt(self._files, _SCRIPT, "template", ours="mmhal", version=self.version)
        self._prompt, self._prompt_of = prompt.text.split("{}"), prompt.source
        if len(self._prompt) != 5:
            raise self._files.malformed(_SCRIPT, "has a template without four places")
        self.data_digest = self._files.digest()

    def questions(self) -> Iterator[Question]:
        """Yield every question, in the file's order."""
        for id, row in self._rows.items():
            yield Question(id, row.source or row.image, row.question)

    def image(self, question: Question) -> bytes:
        """Return the question's image: a file named by its id or as at its source."""
        return self._files.image(question.id, f"{question.id}.jpg", f"{question.id}.png", question.image)

    def score(self, answers: Sequence[Answer]) -> BenchmarkResult:
        """Have the answers judged; DataError when they do not fit, JudgeError without replies."""
        texts = answers_by_id(self.name, list(self._rows), answers, partial=self._partial)

        def turn(id: str, replies: tuple[str, ...]) -> Asked | None:
            return None if replies else Asked((("user", self._filled(id, texts[id])),), temperature=0.0)

        judged = ask(self._asker, self.name, list(texts), turn)
        replies = {id: judged.texts(id)[0] for id in texts if id in judged.replies}
        places = {id: place for place, id in enumerate(self._rows)}
        robust = [Rated(self._rows[id].type, read_rating(text)) for id, text in replies.items()]
        official = [Rated(TYPES[places[id] % 8], official_rating(text)) for id, text in replies.items()]
        unread = [id for id, rated in zip(replies, robust, strict=True) if rated.rating is None]
        kinds = [rated.type for rated in robust]
        n = {f"score_{kind}": kinds.count(kind) for kind in TYPES}
        n |= {"score": len(replies) - len(unread), "hall": len(replies) - len(unread)}
        tallies: dict[Mode, Tally[Rated]] = {
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
            details={"prompt": self._prompt_of},
        )

    def _filled(self, id: str, answer: str) -> str:
        row, parts = self._rows[id], self._prompt
        values = (row.content, row.question, row.truth, answer, "")
        return "".join(part + value for part, value in zip(parts, values, strict=True))


def read_rating(reply: str) -> int | None:
    """Return the rating a reply gives, None when there is none or the reply only lists the scale."""
    ratings = [int(digit) for digit in _RATING.findall(reply.lower())]
    return ratings[-1] if ratings and len(set(ratings)) < 7 else None


def official_rating(reply: str) -> int:
    """Return the rating as the official script reads it: 0 unless exactly one is found."""
    found = [rating for rating in range(7) if f"rating: {rating}" in reply.lower()]
    return found[0] if len(found) == 1 else 0


def figures(rated: Mapping[Rated, int]) -> dict[str, float]:
    """Return mean ratings and the share below 3 (percent) of what could be read."""
    known = [(one.type, one.rating, times) for one, times in rated.items() if one.rating is not None]
    whole = sum(times for _, _, times in known)
    if not whole:
        return {}
    found = {
        "score": sum(rating * times for _, rating, times in known) / whole,
        "hall": 100 * sum(times for _, rating, times in known if rating < 3) / whole,
    }
    for kind in TYPES:
        own = [(rating, times) for type_, rating, times in known if type_ == kind]
        if own:
            found[f"score_{kind}"] = sum(rating * times for rating, times in own) / sum(t for _, t in own)
    return found


def official_figures(rated: Mapping[Rated, int]) -> dict[str, float]:
    """Return the same with the official script's two decimals; its rate is a fraction, here in percent."""
    return {
        name: 100 * float(f"{value / 100:.2f}") if name == "hall" else float(f"{value:.2f}")
        for name, value in figures(rated).items()
    }
