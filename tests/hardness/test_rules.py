"""What counts as a fact."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dama.hardness.facts import Splitter
from dama.hardness.rules import RuleSplitter, facts_of
from dama.records import Facts, Preference
from dama.spec.hardness import RuleFacts


@pytest.mark.parametrize(
    ("response", "facts"),
    [
        (
            "A small red star at the middle right. A big blue circle at the top left.",
            ("A small red star at the middle right.", "A big blue circle at the top left."),
        ),
        (
            "a small red star at the middle right . a big blue circle at the top left .",
            ("a small red star at the middle right .", "a big blue circle at the top left ."),
        ),
        (
            "Dr. Smith is 3.5 m tall, e.g. very tall. He waves.",
            ("Dr. Smith is 3.5 m tall, e.g. very tall.", "He waves."),
        ),
        ("A cat sleeps! Is it old? Yes", ("A cat sleeps!", "Is it old?", "Yes")),
        ("- a dog\n* a cat\n+ a cow\n• a pig\n", ("a dog", "a cat", "a cow", "a pig")),
        ("1. A man. He sits.\n2) A dog.\n(3) A cat.", ("A man.", "He sits.", "A dog.", "A cat.")),
        (
            "## Scene\n\nA **red** bus and a *blue* `car`.\n---\n> It rains.",
            ("Scene", "A red bus and a blue car.", "It rains."),
        ),
        (
            "A red bus stands\nnext to a tree.\nA man waits.",
            ("A red bus stands next to a tree.", "A man waits."),
        ),
        ("snake_case and 3 * 4 stay.", ("snake_case and 3 * 4 stay.",)),
        ("  A   cat \t sits. ", ("A cat sits.",)),
    ],
)
def test_a_response_becomes_its_sentences(response: str, facts: tuple[str, ...]) -> None:
    assert facts_of(response) == facts


@pytest.mark.parametrize("response", ["", "...", "---\n***", "1. 2. 3.", "!?"])
def test_marks_and_numbers_alone_are_no_facts(response: str) -> None:
    assert facts_of(response) == ()


def preference(chosen: str, rejected: str = "A dog.", name: str = "p") -> Preference:
    return Preference(name, "0" * 64, "What?", chosen, rejected)


def split(item: Preference, **changes: int) -> Facts:
    return next(RuleSplitter(RuleFacts(**changes)).split([item]))


def test_a_response_without_facts_is_one_fact_and_flagged() -> None:
    assert split(preference(" ... ")) == Facts("p", ("...",), ("A dog.",), ("chosen:no-facts",))
    assert split(preference("A cat.", "7")) == Facts("p", ("A cat.",), ("7",), ("rejected:no-facts",))


def test_a_long_response_is_cut_and_flagged() -> None:
    facts = split(preference("A cat. " * 10, "A dog. A cow."), max_characters=14)
    assert facts == Facts("p", ("A cat.", "A cat."), ("A dog.", "A cow."), ("chosen:cut",))


def test_facts_keep_the_order_of_preferences_and_come_as_a_stream() -> None:
    drawn = []

    def endless() -> object:
        number = 0
        while True:
            drawn.append(number)
            yield preference(f"Number {number} stands.", name=str(number))
            number += 1

    splitter: Splitter = RuleSplitter(RuleFacts())  # the protocol that any other splitter keeps
    stream = splitter.split(endless())  # type: ignore[arg-type]
    assert [next(stream).id for _ in range(3)] == ["0", "1", "2"]
    assert drawn == [0, 1, 2]


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_gives_clean_facts(text: str) -> None:
    for fact in facts_of(text):
        assert fact == " ".join(fact.split())
        assert any(character.isalpha() for character in fact)


@given(
    st.lists(st.sampled_from(["A red bus stops.", "Two dogs run!", "Who is it?"]), min_size=1, max_size=30)
)
def test_no_sentence_is_lost(sentences: list[str]) -> None:
    assert facts_of(" ".join(sentences)) == tuple(sentences)
    assert facts_of("\n- ".join(["List:", *sentences]))[1:] == tuple(sentences)


@pytest.mark.parametrize(
    "text", ["a" * 20_000, "* " * 10_000, "_*" * 10_000, "- \n" * 6_000, "a b\n" * 5_000]
)
def test_odd_text_does_not_take_long(text: str) -> None:
    started = time.monotonic()
    facts_of(text)
    assert time.monotonic() - started < 2.0
