"""Facts by a language model: every response asked about once, and rules where a reply is of no use."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from dama.hardness.asked import AskedSplitter, many_fell_back
from dama.hardness.facts import Splitter
from dama.hardness.instruction import facts_messages, instruction
from dama.hardness.rules import facts_of
from dama.records import Facts, Preference
from dama.serving.chat import Messages, Said
from dama.spec.hardness import AskedFacts


class FakeChat:
    """Replies by a function of the response; notes what it was asked."""

    def __init__(self, says: Callable[[str], Said | str]) -> None:
        self._says = says
        self.asked: list[str] = []
        self.calls: list[dict[str, Any]] = []
        self.opened = self.closed = 0

    def open(self) -> FakeChat:
        self.opened += 1
        return self

    def ask(
        self, conversations: Sequence[Messages], *, reply_tokens: int, schema: Mapping[str, Any] | None = None
    ) -> list[Said]:
        self.calls.append({"reply_tokens": reply_tokens, "schema": schema})
        replies = []
        for system, user in conversations:
            assert system == {"role": "system", "content": instruction()}
            self.asked.append(user["content"])
            said = self._says(user["content"].partition("Response:\n")[2])
            replies.append(Said(said) if isinstance(said, str) else said)
        return replies

    def close(self) -> None:
        self.closed += 1


def sentences(response: str) -> str:
    return json.dumps([f"{part.strip()}!" for part in response.split(".") if part.strip()])


def preference(number: int, chosen: str, rejected: str, prompt: str = "What?") -> Preference:
    return Preference(f"p{number}", "0" * 64, prompt, chosen, rejected)


def split(chat: FakeChat, *items: Preference, **limits: Any) -> list[Facts]:
    splitter: Splitter = AskedSplitter(AskedFacts(**limits), chat.open)
    return list(splitter.split(items))


def test_facts_are_those_of_the_reply_in_the_order_of_the_preferences() -> None:
    chat = FakeChat(sentences)
    found = split(chat, preference(1, "A dog. A cat.", "A cow."), preference(2, "A pig.", "A hen. An ox."))
    assert found == [
        Facts("p1", ("A dog!", "A cat!"), ("A cow!",)),
        Facts("p2", ("A pig!",), ("A hen!", "An ox!")),
    ]
    assert len(chat.calls) == 1, "all are asked at once"
    assert chat.asked[0] == "Question:\nWhat?\n\nResponse:\nA dog. A cat."


def test_equal_questions_and_responses_are_asked_about_once() -> None:
    chat = FakeChat(sentences)
    items = [
        preference(1, "A dog.", "A cat."),
        preference(2, "A dog.", "A dog."),
        preference(3, "A dog.", "A cat.", prompt="Who?"),
    ]
    found = split(chat, *items)
    assert len(chat.asked) == 4
    assert [(one.chosen, one.rejected) for one in found] == [
        (("A dog!",), ("A cat!",)),
        (("A dog!",), ("A dog!",)),
        (("A dog!",), ("A cat!",)),
    ]


@pytest.mark.parametrize(
    "reply",
    [
        "A dog runs and a cat sleeps.",
        '["A dog run',
        "[]",
        '{"a": 1}',
        "[[1]]",
        json.dumps(["again"] * 65),
        Said('["A dog runs."]', "length"),
        Said("", "refused"),
    ],
    ids=str,
)
def test_rules_take_over_where_a_reply_cannot_be_read(reply: Said | str) -> None:
    chat = FakeChat(lambda response: reply if "dog" in response else sentences(response))
    (found,) = split(chat, preference(1, "A dog runs. It is *brown*.", "A cat."))
    assert found == Facts("p1", ("A dog runs.", "It is brown."), ("A cat!",), ("chosen:fallback",))


@pytest.mark.parametrize("response", ["", "  ", "🙂🙂", "...", "—\n- *"])
def test_a_response_without_words_is_left_to_the_rules_and_asked_of_nobody(response: str) -> None:
    chat = FakeChat(sentences)
    (found,) = split(chat, preference(1, "A dog.", response))
    assert len(found.rejected) == 1
    assert found.flags == ("rejected:no-facts",)
    assert len(chat.asked) == 1


def test_nothing_is_opened_when_there_is_nothing_to_ask() -> None:
    chat = FakeChat(sentences)
    assert split(chat) == []
    assert split(chat, preference(1, "🙂", "")) != []
    assert (chat.opened, chat.calls) == (0, [])


def test_a_number_is_a_response_to_ask_about() -> None:
    chat = FakeChat(lambda response: json.dumps([f"There are {response} dogs."]))
    (found,) = split(chat, preference(1, "2", "三"))
    assert found == Facts("p1", ("There are 2 dogs.",), ("There are 三 dogs.",))


def test_twenty_thousand_characters_are_asked_about_and_one_more_is_cut_and_flagged() -> None:
    chat = FakeChat(sentences)
    long = "A dog. " * 2857 + "x"
    assert len(long) == 20_000
    found = split(chat, preference(1, long, long + "y"), max_facts=9999)
    assert found[0].flags == ("rejected:cut",)
    assert found[0].chosen == found[0].rejected
    assert len(chat.asked) == 1, "cut, they are the same"


def test_a_long_question_is_cut_for_both_sides() -> None:
    chat = FakeChat(sentences)
    (found,) = split(chat, preference(1, "A dog.", "A cat.", prompt="why " * 10), max_characters=20)
    assert found.flags == ("chosen:question-cut", "rejected:question-cut")
    assert chat.asked[0].startswith("Question:\nwhy why why why why \n\nResponse:")


def test_three_hundred_facts_are_the_rules_when_the_model_may_list_fewer() -> None:
    chat = FakeChat(sentences)
    response = " ".join(f"Dog {number} runs." for number in range(300))
    found = split(chat, preference(1, response, "A cat."))
    assert found[0].chosen == facts_of(response)
    assert len(found[0].chosen) == 300
    assert found[0].flags == ("chosen:fallback",)
    (more,) = split(chat, preference(1, response, "A cat."), max_facts=300)
    assert (len(more.chosen), more.flags) == (300, ())


def test_text_that_runs_from_right_to_left_goes_through_whole() -> None:
    hebrew = "כלב חום רץ. חתול ישן."
    chat = FakeChat(sentences)
    (found,) = split(chat, preference(1, hebrew, "A cat."))
    assert found.chosen == ("כלב חום רץ!", "חתול ישן!")


def test_the_limits_are_those_of_the_run_file() -> None:
    chat = FakeChat(sentences)
    split(chat, preference(1, "A dog.", "A cat."), max_facts=7, reply_tokens=99)
    schema = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 8}
    assert chat.calls == [{"reply_tokens": 99, "schema": schema}]


def test_the_model_is_opened_once_and_closed_when_told() -> None:
    chat = FakeChat(sentences)
    splitter = AskedSplitter(AskedFacts(), chat.open)
    first = list(splitter.split([preference(1, "A dog.", "A cat.")]))
    again = list(splitter.split([preference(1, "A dog.", "A cat.")]))
    assert (first, chat.opened, len(chat.asked)) == (again, 1, 4), "one call does not know of the other"
    splitter.close()
    splitter.close()
    assert chat.closed == 1


def test_what_the_model_said_instead_can_be_seen(caplog: pytest.LogCaptureFixture) -> None:
    chat = FakeChat(lambda response: "I would rather not")
    with caplog.at_level(logging.DEBUG, "dama.hardness.asked"):
        split(chat, preference(1, "A dog.", "A cat."))
    assert "I would rather not" in caplog.text


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({}, None),
        ({"chosen:cut": 100}, None),
        ({"chosen:fallback": 5, "rejected:fallback": 5}, None),
        ({"chosen:fallback": 6, "rejected:fallback": 5}, r"11 of 200 responses \(6 %\) were split by rules"),
    ],
)
def test_many_fallbacks_are_told(flags: dict[str, int], told: str | None) -> None:
    found = many_fell_back(flags, 100)
    assert found == told if told is None else told.replace("\\", "") in str(found)


def test_the_instruction_is_asked_word_for_word() -> None:
    """A change to the text is a new version: facts are named by it."""
    import hashlib

    assert (
        hashlib.sha256(instruction(1).encode()).hexdigest()
        == "119b561bcce2c4f0a395842357e19939721d43fe31233227855e4b9007ce2343"
    )
    assert [message["role"] for message in facts_messages("q", "r")] == ["system", "user"]
