"""An endpoint that misbehaves: what may pass is tried again, the rest is one clear error."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from odd_server import Act, Body, Half, Refuse, Reply, Silence, odd_server

from dama.errors import HardnessError
from dama.serving.chat import Said
from dama.serving.endpoint import Asking
from dama.serving.served import ServedChat
from dama.spec.hardness import ServedFacts

ASKING = Asking("model split", HardnessError, where="facts.model or facts.base_url")
SCHEMA = {"type": "array", "items": {"type": "string"}}


def chat(url: str, **changes: Any) -> ServedChat:
    settings = {"model": "split", "base_url": url, "timeout_seconds": 20, "attempts": 3, **changes}
    return ServedChat(ServedFacts.model_validate(settings), ASKING)


def talks(count: int) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": f"response {number}"}] for number in range(count)]


def echo(request: dict[str, Any], before: int) -> Act:
    return Reply(f"heard {request['messages'][-1]['content']}")


def test_replies_come_in_the_order_of_the_conversations() -> None:
    with odd_server(echo) as server:
        found = chat(server.url).ask(talks(40), reply_tokens=9, schema=SCHEMA)
    assert found == [Said(f"heard response {number}") for number in range(40)]
    first = next(one for one in server.requests if one["messages"][-1]["content"] == "response 0")
    assert {name: first[name] for name in ("model", "temperature", "max_tokens", "seed")} == {
        "model": "split",
        "temperature": 0.0,
        "max_tokens": 9,
        "seed": 0,
    }
    assert first["response_format"]["json_schema"]["schema"] == SCHEMA


def test_as_many_are_under_way_as_the_spec_says() -> None:
    barrier = threading.Barrier(3)

    def acts(request: dict[str, Any], before: int) -> Act:
        barrier.wait(10)
        return Reply("fine")

    with odd_server(acts) as server:
        chat(server.url, concurrency=3).ask(talks(6), reply_tokens=9)
    assert server.most_at_a_time == 3


PASSING: dict[str, Act] = {
    "429": Refuse(429),
    "429, told when": Refuse(429, headers=(("Retry-After", "1"),)),
    "500": Refuse(500),
    "no JSON": Body("<!doctype html>", "application/json"),
    "a page": Body("<!doctype html>", "text/html"),
    "another JSON": Body('{"detail": "ok"}'),
    "choices of nothing": Body('{"choices": [{}]}'),
    "a list": Body("[1]"),
    "half a body": Half(),
}


@pytest.mark.parametrize("fault", PASSING, ids=lambda name: name.replace(" ", "-"))
def test_what_may_pass_is_tried_again(fault: str) -> None:
    with odd_server(lambda request, before: PASSING[fault] if before < 1 else Reply("fine")) as server:
        assert chat(server.url).ask(talks(1), reply_tokens=9) == [Said("fine")]
    assert len(server.requests) == 2


def test_a_server_that_says_nothing_is_left_after_the_time_out() -> None:
    with odd_server(lambda request, before: Silence() if before < 1 else Reply("fine")) as server:
        assert chat(server.url, timeout_seconds=0.3).ask(talks(1), reply_tokens=9) == [Said("fine")]
    assert len(server.requests) == 2


@pytest.mark.parametrize("fault", ["500", "no JSON", "half a body"])
def test_what_does_not_pass_is_one_error_that_says_what_to_do(fault: str) -> None:
    with odd_server(lambda request, before: PASSING[fault]) as server:
        with pytest.raises(HardnessError, match=r"model split at .* does not answer after 2 tries .*to mend"):
            chat(server.url, attempts=2).ask(talks(1), reply_tokens=9)
        assert len(server.requests) == 2


def test_a_silent_server_is_the_same_error() -> None:
    with (
        odd_server(lambda request, before: Silence()) as server,
        pytest.raises(HardnessError, match="does not answer after 2 tries"),
    ):
        chat(server.url, attempts=2, timeout_seconds=0.2).ask(talks(1), reply_tokens=9)


def test_nobody_listens() -> None:
    with pytest.raises(HardnessError, match="does not answer after 1 tries"):
        chat("http://127.0.0.1:9/v1", attempts=1).ask(talks(3), reply_tokens=9)


@pytest.mark.parametrize(
    ("status", "says"),
    [(401, "refuses the key; to mend: set MY_KEY"), (403, "refuses the key"), (404, r"not there \(404\)")],
)
def test_what_never_passes_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, status: int, says: str
) -> None:
    monkeypatch.setenv("MY_KEY", "hush")
    with odd_server(lambda request, before: Refuse(status)) as server:
        with pytest.raises(HardnessError, match=says) as error:
            chat(server.url, key_env="MY_KEY", concurrency=1).ask(talks(1), reply_tokens=9)
        assert len(server.requests) == 1
    assert server.keys == ["Bearer hush"]
    assert "hush" not in str(error.value)


def test_a_key_that_is_asked_for_and_not_named_is_told() -> None:
    with (
        odd_server(lambda request, before: Refuse(401)) as server,
        pytest.raises(HardnessError, match="refuses the key; to mend: name its key in key_env"),
    ):
        chat(server.url).ask(talks(1), reply_tokens=9)


def test_the_first_error_stops_the_rest() -> None:
    with odd_server(lambda request, before: Refuse(404)) as server:
        with pytest.raises(HardnessError):
            chat(server.url, concurrency=2).ask(talks(50), reply_tokens=9)
        assert len(server.requests) < 50


def test_a_server_that_knows_no_schema_is_asked_without() -> None:
    def acts(request: dict[str, Any], before: int) -> Act:
        return Refuse(400, "response_format is unknown") if "response_format" in request else Reply("fine")

    with odd_server(acts) as server:
        asked = chat(server.url, concurrency=1)
        assert asked.ask(talks(3), reply_tokens=9, schema=SCHEMA) == [Said("fine")] * 3
    assert ["response_format" in one for one in server.requests] == [True, False, False, False]


def test_one_conversation_that_is_refused_does_not_stop_the_others() -> None:
    def acts(request: dict[str, Any], before: int) -> Act:
        long = request["messages"][0]["content"] == "response 1"
        return Refuse(400, "too long") if long else Reply("fine")

    with odd_server(acts) as server:
        asked = chat(server.url)
        found = asked.ask(talks(3), reply_tokens=9, schema=SCHEMA)
        assert found == [Said("fine"), Said("", "refused"), Said("fine")]
        asked.ask(talks(1), reply_tokens=9, schema=SCHEMA)
    assert "response_format" in server.requests[-1]


def test_a_server_that_refuses_all_is_an_error_with_its_own_words() -> None:
    with (
        odd_server(lambda request, before: Refuse(400, "max_tokens is too large")) as server,
        pytest.raises(HardnessError, match=r"max_tokens is too large.* \(as it does all 2\)"),
    ):
        chat(server.url).ask(talks(2), reply_tokens=9)


def test_a_reply_that_was_cut_says_so_and_one_without_words_is_empty() -> None:
    ends = [Reply("[", "length"), Reply(None)]
    with odd_server(lambda request, before: ends[before]) as server:
        found = chat(server.url, concurrency=1).ask(talks(2), reply_tokens=9)
    assert found == [Said("[", "length"), Said("")]
