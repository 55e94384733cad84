"""What of a language model's reply counts as facts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dama.hardness.reply import facts_of_reply

TWO = ("A dog runs.", "It is brown.")


@pytest.mark.parametrize(
    "reply",
    [
        '["A dog runs.", "It is brown."]',
        '  [ "A dog\\n runs." ,\n "It is  brown." ]  ',
        '```json\n["A dog runs.", "It is brown."]\n```',
        'Here are the facts:\n```\n["A dog runs.", "It is brown."]\n```\nAnything else?',
        'Facts: ["A dog runs.", "It is brown."] I hope this helps.',
        '{"facts": ["A dog runs.", "It is brown."]}',
        '["A dog runs.", "", " . ", "It is brown."]',
        "- A dog runs.\n- It is brown.",
        "1. A dog runs.\n2) It is brown.\n",
        "Here are the facts:\n\n* A dog runs.\n* It is brown.",
        "```\n• A dog runs.\n• It is brown.\n```",
    ],
)
def test_lists_are_read_however_they_are_wrapped(reply: str) -> None:
    assert facts_of_reply(reply, 9) == TWO


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "[]",
        "null",
        "3",
        '""',
        '["", " ", "..."]',
        "The dog runs and it is brown.",
        "I see:\n- A dog runs.\nand then more\nand more",
        '["A dog runs.", "It is bro',
        '[\n "A dog runs.",\n "It is bro',
        '{"A dog": "runs"}',
        '{"facts": ["a"], "more": ["b"]}',
        '[["A dog runs."], ["It is brown."]]',
        '[{"fact": "A dog runs."}]',
        '["A dog runs.", 3]',
        "[" * 20_000 + "]" * 20_000,
        "x" * 300_000,
        json.dumps([f"fact {number}" for number in range(1000)]),
    ],
    ids=lambda reply: repr(reply[:20]),
)
def test_what_is_no_list_is_none(reply: str) -> None:
    assert facts_of_reply(reply, 64) is None


def test_as_many_facts_as_allowed_and_not_one_more() -> None:
    assert facts_of_reply(json.dumps(["a"] * 4), 4) == ("a",) * 4
    assert facts_of_reply(json.dumps(["a"] * 5), 4) is None


def test_letters_of_other_scripts_stay_and_broken_ones_go() -> None:
    hebrew = "הכלב רץ מימין."
    assert facts_of_reply(json.dumps([hebrew, "Ein Äpfel 🙂", "狗在跑。"]), 9) == (
        hebrew,
        "Ein Äpfel 🙂",
        "狗在跑。",
    )
    assert facts_of_reply('["a\\u0000b\\ud800c", "d\x02e\tf"]', 9) == ("abc", "de f")


@given(st.text())
def test_any_reply_is_read_or_not_and_what_is_read_can_be_kept(reply: str) -> None:
    facts = facts_of_reply(reply, 64)
    assert facts is None or 0 < len(facts) <= 64
    for fact in facts or ():
        assert fact.strip()
        fact.encode("utf-8")


@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1), min_size=1, max_size=20))
def test_a_json_list_comes_back_as_it_was_written(facts: list[str]) -> None:
    for ascii_only in (True, False):
        assert facts_of_reply(json.dumps(facts, ensure_ascii=ascii_only), 64) == tuple(facts)
