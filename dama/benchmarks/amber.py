"""AMBER (Wang et al., arXiv 2311.07397): 1,004 captions and 14,216 yes-or-no questions, no judge.

Files as published: query_generative.json and query_discriminative.json (or query_discriminative-
existence.json and its two sisters, or query_all.json), annotations.json, relation.json, safe_words.txt;
images AMBER_<n>.jpg.

AMBER score = ((100 − CHAIR) + F1) / 2. The two halves, with the official script's quirks, are described in
`amber_captions.py` and `amber_questions.py`. The official script takes an answer's annotation by its place in
the file (id − 1), which is its id in the published file; here it is looked up by id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from dama.benchmarks.amber_captions import (
    Caption,
    Image,
    caption_figures,
    judge_caption,
    official_caption_figures,
)
from dama.benchmarks.amber_questions import (
    GROUPS,
    Reply,
    kind_of,
    official_question_figures,
    question_figures,
    said_exactly,
)
from dama.benchmarks.base import Mode, answers_by_id, answers_digest
from dama.benchmarks.files import BenchmarkFiles, take
from dama.benchmarks.nouns import LemmaMatch, Nouns
from dama.benchmarks.tally import Shown, Tally
from dama.benchmarks.yes_no import YesNo, read_yes_no
from dama.records import Answer, BenchmarkResult, Question

Part = Literal["all", "generative", "discriminative", "existence", "attribute", "relation"]
Outcome: TypeAlias = Caption | Reply

_QUERIES: Mapping[Part, tuple[str, ...]] = {
    "generative": ("query_generative.json",),
    "discriminative": ("query_discriminative.json",),
    "existence": ("query_discriminative-existence.json",),
    "attribute": ("query_discriminative-attribute.json",),
    "relation": ("query_discriminative-relation.json",),
}
_CAPTIONS: Mapping[str, Shown] = {
    "chair": Shown(better="lower"),
    "cover": Shown(),
    "hal": Shown(better="lower"),
    "cog": Shown(better="lower"),
}
_FIGURES = ("accuracy", "precision", "recall", "f1")


class Amber:
    """AMBER or one of its parts."""

    name = "amber"
    version = "1"

    def __init__(
        self,
        folder: Path,
        *,
        images: Path | None = None,
        part: Part = "all",
        mode: Mode = "robust",
        partial: bool = False,
        nouns: Nouns | None = None,
    ) -> None:
        """Read the questions of `part` and what is known of them; DataError when a file is not as published.

        `nouns` finds the nouns in both modes; the lemma match (each mode its own) if None.
        """
        self._files = BenchmarkFiles(self.name, folder, images)
        self._mode, self._partial = mode, partial
        self._captions: dict[str, Image] = {}
        self._asked: dict[str, tuple[str, YesNo]] = {}
        self._read_annotations()
        self._questions = self._read_questions(part)
        relation = self._files.json("relation.json")
        if not isinstance(relation, dict):
            raise self._files.malformed("relation.json", "is no object")
        self._association: dict[str, tuple[str, ...]] = {
            str(word): tuple(map(str, others)) for word, others in relation.items()
        }
        self._vocabulary = frozenset(self._association) | {
            word for words in self._association.values() for word in words
        }
        self._safe_words = frozenset(self._files.text("safe_words.txt").splitlines()) - {""}
        self._nouns: dict[Mode, Nouns] = {
            "official": nouns or LemmaMatch(self._vocabulary, wordnet=True),
            "robust": nouns or LemmaMatch(self._vocabulary),
        }
        self.data_digest = self._files.digest(part)

    def questions(self) -> Iterator[Question]:
        """Yield every question, in the order of the ids."""
        yield from self._questions.values()

    def image(self, question: Question) -> bytes:
        """Return the question's image as JPEG."""
        return self._files.image(question.id, question.image)

    def score(self, answers: Sequence[Answer]) -> BenchmarkResult:
        """Score captions and answers; DataError when they do not fit the questions."""
        texts = answers_by_id(self.name, list(self._questions), answers, partial=self._partial)
        tallies = {mode: self._tally(texts, mode) for mode in ("official", "robust")}
        captions, replies = tallies["robust"].strata
        unread = [id for id, text in texts.items() if id not in self._captions and read_yes_no(text) is None]
        shown = self._shown()
        n = dict.fromkeys(_CAPTIONS, len(captions))
        kinds = [self._asked[id][0] for id in texts if id in self._asked]
        for prefix, group in GROUPS.items():
            n |= dict.fromkeys((prefix + name for name in _FIGURES), sum(kind in group for kind in kinds))
        n["amber"] = len(texts)
        official = tallies["official"].measures(shown, n, resamples=0)
        own = tallies[self._mode].measures(shown, n)
        return BenchmarkResult(
            self.name,
            self.version,
            own,
            answers_digest(texts),
            self.data_digest,
            details={
                "nouns": self._nouns[self._mode].name,
                "captions": len(captions),
                "answered": len(replies),
                "unreadable_ids": unread[:20],
            },
            mode=self._mode,
            official=official,
            n=len(texts),
            missing=len(self._questions) - len(texts),
            unreadable=len(unread),
        )

    def _tally(self, texts: Mapping[str, str], mode: Mode) -> Tally[Outcome]:
        captions: list[Outcome] = []
        replies: list[Outcome] = []
        read = said_exactly if mode == "official" else read_yes_no
        for id, text in texts.items():
            if id in self._captions:
                captions.append(self._judged(text, self._captions[id], mode))
            else:
                kind, truth = self._asked[id]
                replies.append(Reply(kind, truth, read(text)))
        return Tally((captions, replies), _official if mode == "official" else _robust)

    def _judged(self, text: str, image: Image, mode: Mode) -> Caption:
        finder = self._nouns[mode]
        found = finder.nouns(text)
        if mode == "robust":
            found = [noun if noun in self._vocabulary else noun.lower() for noun in found]
        nouns = [noun for noun in found if noun in self._vocabulary]
        return judge_caption(nouns, image, self._association, self._safe_words, finder.similar, mode)

    def _shown(self) -> dict[str, Shown]:
        """Return the figures that this part has."""
        kinds = {self._asked[id][0] for id in self._questions if id in self._asked}
        shown = dict(_CAPTIONS) if any(id in self._captions for id in self._questions) else {}
        for prefix, group in GROUPS.items():
            whole = {"existence", "relation"} <= kinds and kinds & {"state", "number", "action"}
            if whole if prefix == "" else group & kinds:
                shown |= {prefix + name: Shown() for name in _FIGURES}
        return {"amber": Shown(unit=""), **shown} if {"chair", "f1"} <= shown.keys() else shown

    def _read_annotations(self) -> None:
        for row in self._files.json("annotations.json"):
            id, kind, truth = take(self._files, "annotations.json", row, "id", "type", "truth")
            if kind == "generative":
                (hallu,) = take(self._files, "annotations.json", row, "hallu")
                self._captions[str(id)] = Image(tuple(truth), tuple(hallu))
            elif truth in ("yes", "no"):
                self._asked[str(id)] = (kind_of(str(kind)), truth)
            else:
                raise self._files.malformed("annotations.json", f"gives {id} the truth {truth!r}")

    def _read_questions(self, part: Part) -> dict[str, Question]:
        names: tuple[Part, ...] = ("generative", "discriminative") if part == "all" else (part,)
        rows = [row for name in names for row in self._files.json(*_QUERIES[name])]
        questions = {}
        for row in rows:
            id, image, query = take(self._files, "query", row, "id", "image", "query")
            if str(id) not in self._captions and str(id) not in self._asked:
                raise self._files.malformed("annotations.json", f"says nothing of question {id}")
            questions[str(id)] = Question(str(id), str(image), str(query))
        return questions


def _robust(outcomes: Mapping[Outcome, int]) -> dict[str, float]:
    return _with_score(caption_figures(_captions(outcomes)) | question_figures(_replies(outcomes)))


def _official(outcomes: Mapping[Outcome, int]) -> dict[str, float]:
    captions, replies = _captions(outcomes), _replies(outcomes)
    return _with_score(official_caption_figures(captions) | official_question_figures(replies))


def _with_score(figures: dict[str, float]) -> dict[str, float]:
    if "chair" in figures and "f1" in figures:
        figures["amber"] = (100 - figures["chair"] + figures["f1"]) / 2
    return figures


def _captions(outcomes: Mapping[Outcome, int]) -> dict[Caption, int]:
    return {outcome: times for outcome, times in outcomes.items() if isinstance(outcome, Caption)}


def _replies(outcomes: Mapping[Outcome, int]) -> dict[Reply, int]:
    return {outcome: times for outcome, times in outcomes.items() if isinstance(outcome, Reply)}
