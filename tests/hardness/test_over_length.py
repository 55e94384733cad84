"""Facts of more tokens than a text tower reads: cut, split or refused, never silently."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pairs import Drawn, Item, one

from dama.errors import HardnessError
from dama.hardness.clip import Clip, load_clip
from dama.hardness.pieces import pieces
from dama.hardness.reading import OverLength
from dama.hardness.scorer import ClipScorer
from dama.hardness.texts import TextTower
from dama.records import PairScore

LONG = "a small red star at top on the left"
"""Nine words: eleven tokens with start and end, one more than the tiny model reads."""


@pytest.fixture(scope="module")
def clip(tiny_clip: Path) -> Clip:
    torch.set_num_threads(1)
    return load_clip("local", str(tiny_clip), device="cpu")


def score(clip: Clip, over_length: OverLength, item: Item) -> PairScore:
    (found,) = ClipScorer(clip, over_length=over_length).score([item], Drawn())
    return found


def test_tokens_are_counted_with_their_marks(clip: Clip) -> None:
    assert TextTower(clip).counts([LONG, "a star", ""]) == [11, 4, 2]


def test_a_fact_that_just_fits_is_read_whole(clip: Clip) -> None:
    fits = LONG.removesuffix(" left")
    for over_length in ("truncate", "split", "refuse"):
        assert score(clip, over_length, one((fits,))).flags == ()


def test_an_over_length_fact_is_cut_and_flagged(clip: Clip) -> None:
    found = score(clip, "truncate", one(("a star .",), (LONG, "a red star", LONG)))
    assert found.flags == ("rejected:truncated",)
    cut = score(clip, "truncate", one((LONG.removesuffix(" left"),)))
    assert found.rejected[0] == pytest.approx(cut.chosen[0], abs=1e-4)  # its first ten tokens


def test_an_over_length_fact_is_split_and_gets_the_mean_score_of_its_pieces(clip: Clip) -> None:
    found = score(clip, "split", one((LONG,), ("a star .",)))
    assert found.flags == ("chosen:split",)
    parts = score(clip, "refuse", one(("a small red star", "at top on the left"))).chosen
    assert found.chosen == pytest.approx((sum(parts) / 2,), abs=1e-4)


def test_an_over_length_fact_is_refused_when_asked(clip: Clip) -> None:
    with pytest.raises(HardnessError, match="preference q has a chosen fact of 11 tokens; wanted at most 10"):
        score(clip, "refuse", one((LONG,), name="q"))
    with pytest.raises(HardnessError, match="preference p has a rejected fact of 20000 characters"):
        score(clip, "refuse", one(("a star .",), ("é" * 20_000,)))


def test_cut_and_split_facts_are_counted_each(clip: Clip) -> None:
    item = one((LONG, LONG, "a star ."), (LONG,))
    for over_length, mark in (("truncate", "truncated"), ("split", "split")):
        scorer = ClipScorer(clip, over_length=over_length)  # type: ignore[arg-type]
        list(scorer.score([item], Drawn()))
        assert scorer.counts[mark] == 3


def test_leading_blanks_are_not_all_that_is_left_of_a_cut_fact(clip: Clip) -> None:
    padded = score(clip, "truncate", one((" " * 5_000 + LONG,)))
    assert padded.flags == ("chosen:truncated",)
    assert padded.chosen == pytest.approx(score(clip, "truncate", one((LONG,))).chosen, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [
        ("one two", 3, ("one two",)),
        (
            "A dog runs. A cat sleeps in the sun, and a bird sings.",
            7,
            ("A dog runs.", "A cat sleeps in the sun,", "and a bird sings."),
        ),
        ("A red dog, a blue cat and a green bird", 7, ("A red dog,", "a blue cat and a green bird")),
        ("one two three four", 2, ("one two", "three four")),
        ("x" * 90, 9, ("x" * 22, "x" * 23, "x" * 22, "x" * 23)),
        ("这是一只狗。那是一只猫。" * 4, 9, ("这是一只狗。那是一只猫。" * 2,) * 2),
    ],
)
def test_facts_are_split_at_the_best_border_near_the_middle(
    text: str, most: int, expected: tuple[str, ...]
) -> None:
    assert pieces(text, lambda part: len(part.split()) <= most and len(part) <= 40) == expected


@given(st.text(max_size=300), st.integers(1, 20))
def test_pieces_fit_and_lose_nothing_but_blanks(text: str, most: int) -> None:
    found = pieces(text, lambda part: len(part) <= most)
    assert all(len(piece) <= most for piece in found)
    assert "".join("".join(found).split()) == "".join(text.split())


@pytest.mark.parametrize("size", [1, 2, 3])
def test_what_never_fits_ends_at_single_characters(size: int) -> None:
    assert pieces("abc"[:size], lambda part: False) == tuple("abc"[:size])
