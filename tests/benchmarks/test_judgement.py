"""Captions against scenes, worked by hand."""

from __future__ import annotations

from dama.benchmarks.judgement import Judgement, judge
from dama.benchmarks.mentions import Mention

TRUTH = (
    Mention("top", "left", "big", "black", "ring"),
    Mention("middle", "right", "small", "red", "star"),
    Mention("bottom", "centre", "small", "blue", "cross"),
)


def test_the_whole_truth_is_covered_and_placed() -> None:
    text = " ".join(mention.sentence() for mention in TRUTH)
    assert judge(text, TRUTH) == Judgement(mentions=3, false=(), repeated=0, covered=3, things=3, placed=True)


def test_size_and_place_do_not_make_a_mention_false() -> None:
    text = "A big red star at the bottom left."
    assert judge(text, TRUTH) == Judgement(
        mentions=1, false=(), repeated=0, covered=1, things=3, placed=False
    )


def test_a_wrong_size_is_still_placed() -> None:
    assert judge("A big red star at the middle right.", TRUTH).placed


def test_a_kind_that_is_not_there_is_false() -> None:
    text = "A big black ring at the top left. A small red cross at the middle right."
    assert judge(text, TRUTH) == Judgement(
        mentions=2, false=(("red", "cross"),), repeated=0, covered=1, things=3, placed=False
    )


def test_a_malformed_sentence_is_false_without_a_kind() -> None:
    text = "A big black ring at the top left. A star at the."
    assert judge(text, TRUTH) == Judgement(
        mentions=2, false=(None,), repeated=0, covered=1, things=3, placed=False
    )


def test_a_thing_said_twice_is_covered_once() -> None:
    text = "A small red star at the middle right. A small red star at the middle right."
    assert judge(text, TRUTH) == Judgement(mentions=2, false=(), repeated=1, covered=1, things=3, placed=True)


def test_silence_is_true_and_covers_nothing() -> None:
    assert judge("", TRUTH) == Judgement(mentions=0, false=(), repeated=0, covered=0, things=3, placed=True)
