"""Sentences of the miniature world are read exactly as they are written."""

from __future__ import annotations

from itertools import product

import pytest

from dama.benchmarks.mentions import COLOURS, COLUMNS, ROWS, SHAPES, SIZES, Mention, caption, parse

STAR = Mention("middle", "right", "small", "red", "star")
RING = Mention("top", "left", "big", "black", "ring")


def test_a_sentence_says_size_colour_shape_and_cell() -> None:
    assert STAR.sentence() == "A small red star at the middle right."


def test_every_mention_is_read_back() -> None:
    every = [Mention(*parts) for parts in product(ROWS, COLUMNS, SIZES, COLOURS, SHAPES)]
    assert len(every) == 648
    assert parse(caption(every)) == every


def test_letter_case_and_spaces_do_not_matter() -> None:
    text = " a small red  star at the middle right .\nA BIG black ring at the top left."
    assert parse(text) == [STAR, RING]


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_silence_mentions_nothing(text: str) -> None:
    assert parse(text) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "A red star at the middle right.",
        "A small red star.",
        "A small red star at the right middle.",
        "A small pink star at the middle right.",
        "A small red star at the middle right right.",
        "There is a small red star at the middle right.",
        ".",
    ],
)
def test_any_other_sentence_is_malformed(sentence: str) -> None:
    assert parse(f"{RING.sentence()} {sentence}") == [RING, None]


def test_a_sentence_cut_off_is_malformed() -> None:
    assert parse("A big black ring at the top left. A small red star at the") == [RING, None]
    assert parse("A big black ring at the top left") == [None]
