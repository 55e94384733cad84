"""Object HalBench (RLHF-V, arXiv 2312.00849): which objects of 300 descriptions of COCO images are not there.

Files as published: obj_halbench_300_with_image.jsonl (image_id, question, image as base64),
synonyms_refine.txt, and COCO 2014's instances_val2014.json and captions_val2014.json (and of train2014, for
images that are not in val), whose boxes and captions together say what is there. A judge lists the objects
that a description names; without a judge its words are matched with the synonyms (`coco_objects.py`).

    response    descriptions that name objects, and none that is not there
    mention     named objects that are there
    recall      objects there that are named
    words       words a description

The official script (RLAIF-V, eval_gpt_obj_halbench.py) takes descriptions of up to three words to name
nothing, does not ask about them, and divides by descriptions that name any object; with the judge a word
counts once a description, without it as often as it comes. All of this is also what its authors meant. Its
quirks, kept in `official`: a judge's list must stand in a ```json fence, or on the last line of a reply
that holds `["`, so an empty list is asked for again (up to 100 times there, three times here) and at last
ends the script, in which case there is no official figure; WordNet's faults (`nouns.py`); two decimals.
`robust` takes a list wherever it is found in a reply, and leaves descriptions without one out.
"""

from __future__ import annotations

import ast
import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dama.benchmarks.asking import Asked, Asker
from dama.benchmarks.base import Mode, answers_by_id
from dama.benchmarks.coco_objects import CocoObjects, Named
from dama.benchmarks.coco_truth import coco_truth
from dama.benchmarks.files import BenchmarkFiles, take
from dama.benchmarks.judged import Judged, ask, judged_result
from dama.benchmarks.own_prompt import judge_prompt
from dama.benchmarks.tally import Shown, Tally
from dama.records import Answer, BenchmarkResult, Question

_QUESTIONS = ("obj_halbench_300_with_image.jsonl", "obj_halbench_300.jsonl", "obj_halbench.jsonl")
_SYNONYMS, _SCRIPT = "synonyms_refine.txt", "eval_gpt_obj_halbench.py"
_ASKS = 3
_SHORT = 3
"""Words up to which a description is taken to name nothing."""
_SHOWN = {
    "response": Shown(),
    "mention": Shown(),
    "recall": Shown(),
    "words": Shown(unit="per description", better="neither"),
}
_FENCE = re.compile(r"```json\n(.*?)\n```", re.DOTALL)
_LIST = re.compile(r"\[[^\[\]]*\]|\(\s*\)")


class Described(NamedTuple):
    """What one description comes to."""

    objects: int
    false: int
    found: int
    there: int
    words: int


class ObjectHalBench:
    """Object HalBench, by a judge or by synonyms."""

    name = "object-halbench"
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
        """Read questions, synonyms and what is in the images; without `asker` words are matched."""
        self._files = BenchmarkFiles(self.name, folder, images)
        self._asker, self._mode, self._partial = asker, mode, partial
        self._questions: dict[str, Question] = {}
        self._pictures: dict[str, str] = {}
        for row in self._files.jsonl(*_QUESTIONS):
            image, text = take(self._files, _QUESTIONS[0], row, "image_id", "question")
            id = str(image)
            if not id.isdecimal():
                raise self._files.malformed(_QUESTIONS[0], f"has image_id {id}, no number")
            self._questions[id] = Question(id, f"COCO_val2014_{int(id):012d}.jpg", str(text))
            self._pictures[id] = str(row.get("image") or "")
        synonyms = self._files.text(_SYNONYMS)
        self._objects: dict[Mode, CocoObjects] = {
            mode: CocoObjects(synonyms, mode) for mode in ("official", "robust")
        }
        self._truth = coco_truth(self._files, set(self._questions), self._objects)
        self._prompt = judge_prompt(
            self._files, _SCRIPT, "prompt_template", ours="object_halbench", version=self.version
        )
        self.data_digest = self._files.digest()

    def questions(self) -> Iterator[Question]:
        """Yield every question, in the file's order."""
        yield from self._questions.values()

    def image(self, question: Question) -> bytes:
        """Return the question's image as JPEG: out of the file of questions, else from the folder."""
        if self._pictures[question.id]:
            try:
                return base64.b64decode(self._pictures[question.id], validate=True)
            except binascii.Error as error:
                raise self._files.malformed(_QUESTIONS[0], f"has a broken image for {question.id}") from error
        return self._files.image(question.id, question.image, question.image.removeprefix("COCO_val2014_"))

    def score(self, answers: Sequence[Answer]) -> BenchmarkResult:
        """Compare descriptions with what is there; DataError when they do not fit."""
        given = answers_by_id(self.name, list(self._questions), answers, partial=self._partial)
        texts = {id: text.replace("Assistant:", "").strip() for id, text in given.items()}
        judged = Judged(dict.fromkeys(texts, ()))
        if self._asker is not None:

            def turn(id: str, replies: tuple[str, ...]) -> Asked | None:
                return self._next(id, texts[id], replies)

            judged = ask(self._asker, self.name, list(texts), turn)
        described: dict[Mode, list[Described | None]] = {
            mode: [self._described(id, texts[id], judged.texts(id), mode) for id in judged.replies]
            for mode in ("official", "robust")
        }
        unread = [id for id, one in zip(judged.replies, described["robust"], strict=True) if one is None]
        robust = [one for one in described["robust"] if one is not None]
        official = [one for one in described["official"] if one is not None]
        fails = len(official) < len(judged.replies)
        n = {
            "response": sum(one.objects > 0 for one in robust),
            "mention": sum(one.objects for one in robust),
            "recall": sum(one.there for one in robust),
            "words": len(robust),
        }
        tallies: dict[Mode, Tally[Described]] = {
            "robust": Tally((robust,), figures),
            "official": Tally(([] if fails else official,), official_figures),
        }
        return judged_result(
            self,
            self._mode,
            given,
            judged,
            tallies,
            _SHOWN,
            n,
            asked=len(self._questions),
            unread=unread,
            details={
                "objects": "synonyms, lemma match" if self._asker is None else "judge",
                **({} if self._asker is None else {"prompt": self._prompt.source}),
                **({"official": "the script fails on replies without a list"} if fails else {}),
            },
        )

    def _next(self, id: str, text: str, replies: tuple[str, ...]) -> Asked | None:
        read = any(official_list(reply) is not None for reply in replies)
        if len(text.split()) <= _SHORT or read or len(replies) == _ASKS:
            return None
        question = self._questions[id].prompt
        prompt = self._prompt.text.replace("{question}", question).replace("{answer}", text)
        return Asked((("system", prompt),))

    def _described(self, id: str, text: str, replies: tuple[str, ...], mode: Mode) -> Described | None:
        """Return what a description comes to, None where no reply could be read."""
        objects = self._objects[mode]
        if self._asker is None:
            named: Sequence[Named] = objects.in_text(text)
        elif len(text.split()) <= _SHORT:
            named = ()
        else:
            read = official_list if mode == "official" else read_list
            listed = next((found for reply in replies if (found := read(reply)) is not None), None)
            if listed is None:
                return None
            named = objects.in_phrases(listed)
        there = self._truth[mode][id]
        right = [one.kind for one in named if one.kind in there]
        return Described(
            len(named), len(named) - len(right), len(set(right)), len(there), len(text.split(" "))
        )


def read_list(reply: str) -> list[str] | None:
    """Return the last list of names in a reply, None when it holds none."""
    for found in reversed(_LIST.findall(reply)):
        for parse in (json.loads, ast.literal_eval):
            try:
                listed = parse(found)
            except (ValueError, SyntaxError):
                continue
            if isinstance(listed, list | tuple) and all(isinstance(name, str) for name in listed):
                return list(listed)
    return None


def official_list(reply: str) -> list[str] | None:
    """Return the list of names as the official script finds it, None where it asks again."""
    fence = _FENCE.search(reply)
    for text in (fence.group(1) if fence else "", reply.strip().split("\n")[-1] if '["' in reply else ""):
        try:
            listed = json.loads(text)
        except ValueError:
            continue
        return [str(name) for name in listed] if isinstance(listed, list) else None
    return None


def figures(described: Mapping[Described, int]) -> dict[str, float]:
    """Return response, mention and recall in percent, and words; one without a denominator is left out."""
    naming = sum(times for one, times in described.items() if one.objects)
    wrong = sum(times for one, times in described.items() if one.false)
    objects = sum(one.objects * times for one, times in described.items())
    there = sum(one.there * times for one, times in described.items())
    found = {}
    if naming:
        found["response"] = 100 * (1 - wrong / naming)
        found["mention"] = 100 * (1 - sum(one.false * times for one, times in described.items()) / objects)
    if there:
        found["recall"] = 100 * sum(one.found * times for one, times in described.items()) / there
    if described:
        words = sum(one.words * times for one, times in described.items())
        found["words"] = words / sum(described.values())
    return found


def official_figures(described: Mapping[Described, int]) -> dict[str, float]:
    """Return the same as the official script prints it."""
    return {name: float(f"{value:.2f}") for name, value in figures(described).items()}
