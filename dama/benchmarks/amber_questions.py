"""AMBER's discriminative half: yes-or-no questions, with "no" (the thing is not so) as the positive class.

    Accuracy    share of right answers
    Precision   of the answers "no", share that is right
    Recall      of the questions whose truth is "no", share answered "no"
    F1          harmonic mean of both

each over all questions and over those on existence, attributes (state, number, action) and relations.

Quirks of the official script, kept in `official`: an answer counts only if it is exactly `Yes` or `No`, and
any other is wrong without being a "no"; denominators start at 0.001; precision and recall are rounded to
one decimal before F1 is made of them, with 0.0001 added to its denominator (0.001 for existence). `robust`
reads the answer as a person would (`yes_no.py`); one that cannot be read is wrong and is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from dama.benchmarks.amber_captions import EPSILON
from dama.benchmarks.yes_no import YesNo

KINDS = {
    "discriminative-attribute-state": "state",
    "discriminative-attribute-number": "number",
    "discriminative-attribute-action": "action",
    "discriminative-hallucination": "existence",
}
"""AMBER's types of questions; every other type asks about a relation, as in the official script."""
GROUPS: Mapping[str, frozenset[str]] = {
    "": frozenset(("existence", "state", "number", "action", "relation")),
    "existence_": frozenset(("existence",)),
    "attribute_": frozenset(("state", "number", "action")),
    "state_": frozenset(("state",)),
    "number_": frozenset(("number",)),
    "action_": frozenset(("action",)),
    "relation_": frozenset(("relation",)),
}
"""What figures are given for, by the beginning of their names."""


class Reply(NamedTuple):
    """One answered question: what it asks about, whether the truth is "no", what was answered."""

    kind: str
    truth: YesNo
    said: YesNo | None


def kind_of(question: str) -> str:
    """Return what a question of AMBER's type `question` asks about."""
    return KINDS.get(question, "relation")


def said_exactly(text: str) -> YesNo | None:
    """Return the answer as the official script reads it."""
    return "yes" if text == "Yes" else "no" if text == "No" else None


class _Counts(NamedTuple):
    questions: int
    right: int
    truly_no: int
    said_no: int
    rightly_no: int


def _counts(replies: Iterable[tuple[Reply, int]], kinds: frozenset[str]) -> _Counts:
    questions = right = truly_no = said_no = rightly_no = 0
    for reply, times in replies:
        if reply.kind not in kinds:
            continue
        questions += times
        right += times * (reply.said == reply.truth)
        truly_no += times * (reply.truth == "no")
        said_no += times * (reply.said == "no")
        rightly_no += times * (reply.said == reply.truth == "no")
    return _Counts(questions, right, truly_no, said_no, rightly_no)


def question_figures(replies: Mapping[Reply, int]) -> dict[str, float]:
    """Return every figure in percent; one without a denominator is left out."""
    figures = {}
    for prefix, kinds in GROUPS.items():
        count = _counts(replies.items(), kinds)
        for name, part, whole in (
            ("accuracy", count.right, count.questions),
            ("precision", count.rightly_no, count.said_no),
            ("recall", count.rightly_no, count.truly_no),
            ("f1", 2 * count.rightly_no, count.said_no + count.truly_no),
        ):
            if whole:
                figures[prefix + name] = 100 * part / whole
    return figures


def official_question_figures(replies: Mapping[Reply, int]) -> dict[str, float]:
    """Return the same as the official script prints it; a group without questions is left out."""
    figures: dict[str, float] = {}
    for prefix, kinds in GROUPS.items():
        count = _counts(replies.items(), kinds)
        if not count.questions:
            continue
        precision = round(count.rightly_no / (count.said_no + EPSILON) * 100, 1)
        recall = round(count.rightly_no / (count.truly_no + EPSILON) * 100, 1)
        extra = 0.001 if prefix == "existence_" else 0.0001
        both = precision / 100 + recall / 100 + extra
        figures |= {
            prefix + "accuracy": round(count.right / (count.questions + EPSILON) * 100, 1),
            prefix + "precision": precision,
            prefix + "recall": recall,
            prefix + "f1": round(2 * (precision / 100) * (recall / 100) / both * 100, 1),
        }
    return figures
