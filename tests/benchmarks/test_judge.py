"""A judge behind a real endpoint: retries, concurrency, budget, keys, and replies that are kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from judge_server import judge_server

from dama.benchmarks.asking import Asked
from dama.benchmarks.judge import Judge
from dama.benchmarks.judged import ask
from dama.benchmarks.transcript import KeptReplies, Transcript
from dama.errors import BudgetSpent, DataError, JudgeError
from dama.spec.judge import JudgeSpec

IDS = [f"q{number}" for number in range(6)]


def once(id: str, replies: tuple[str, ...]) -> Asked | None:
    return None if replies else Asked((("system", "be brief"), ("user", f"about {id}")), 0.0, 8)


def until_ok(id: str, replies: tuple[str, ...]) -> Asked | None:
    return None if "ok" in replies or len(replies) == 3 else Asked((("user", f"about {id}"),))


def spec(url: str, **changes: Any) -> JudgeSpec:
    settings = {"model": "critic", "base_url": url, "key_env": None, "timeout_seconds": 20, **changes}
    return JudgeSpec.model_validate(settings)


def echo(request: dict[str, Any], before: int) -> str:
    return f"heard {request['messages'][-1]['content']}"


def test_every_question_gets_its_own_reply_and_it_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "replies" / "replies.jsonl"
    with judge_server(echo) as server:
        replies = Judge(spec(server.url), Transcript(file)).ask("b", IDS, once)
    assert {id: one[0].text for id, one in replies.items()} == {id: f"heard about {id}" for id in IDS}
    assert list(replies) == IDS
    request = next(one for one in server.requests if one["messages"][-1]["content"] == "about q0")
    assert (request["model"], request["temperature"], request["max_tokens"]) == ("critic", 0.0, 8)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert {row["id"] for row in rows} == set(IDS)
    row = next(row for row in rows if row["id"] == "q0")
    assert row.pop("date").endswith("+00:00")
    assert row == {
        "benchmark": "b",
        "id": "q0",
        "asked": "critic",
        "messages": [["system", "be brief"], ["user", "about q0"]],
        "temperature": 0.0,
        "max_tokens": 8,
        "reply": "heard about q0",
        "model": "critic-2026",
        "prompt_tokens": 10,
        "completion_tokens": 5,
    }


def test_kept_replies_score_again_without_asking(tmp_path: Path) -> None:
    file = tmp_path / "replies.jsonl"
    with judge_server(echo) as server:
        first = Judge(spec(server.url), Transcript(file)).ask("b", IDS, once)
        again = Judge(spec(server.url), Transcript(file)).ask("b", IDS, once)
    assert len(server.requests) == len(IDS)
    assert again == first
    assert KeptReplies(Transcript(file)).ask("b", IDS, once) == first


def test_another_model_is_asked_anew(tmp_path: Path) -> None:
    file = tmp_path / "replies.jsonl"
    with judge_server(echo) as server:
        for model in ("critic", "other"):
            Judge(spec(server.url, model=model), Transcript(file)).ask("b", IDS[:2], once)
    assert [request["model"] for request in server.requests].count("other") == 2


def test_replies_to_other_answers_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "replies.jsonl"
    with judge_server(echo) as server:
        Judge(spec(server.url), Transcript(file)).ask("b", IDS[:2], once)

    def changed(id: str, replies: tuple[str, ...]) -> Asked | None:
        return None if replies else Asked((("user", f"about another answer to {id}"),))

    with pytest.raises(JudgeError, match=r"no reply about 2 questions \(q0, q1\)"):
        KeptReplies(Transcript(file)).ask("b", IDS[:2], changed)
    with pytest.raises(JudgeError, match=r"no reply about 1 questions \(q2\)"):
        KeptReplies(Transcript(file)).ask("b", IDS[:3], once)
    assert KeptReplies(Transcript(file), partial=True).ask("b", IDS[:3], once).keys() == {"q0", "q1"}


def test_turns_go_on_until_they_are_over(tmp_path: Path) -> None:
    def says(request: dict[str, Any], before: int) -> str:
        return "ok" if "q1" in request["messages"][0]["content"] or before == 2 else "well"

    file = tmp_path / "replies.jsonl"
    with judge_server(says) as server:
        judge = Judge(spec(server.url, concurrency=1), Transcript(file))
        replies = judge.ask("b", ["q0", "q1"], until_ok)
    assert [reply.text for reply in replies["q0"]] == ["well", "well", "ok"]
    assert [reply.text for reply in replies["q1"]] == ["ok"]
    assert KeptReplies(Transcript(file)).ask("b", ["q0", "q1"], until_ok) == replies


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_is_tried_again(tmp_path: Path, status: int) -> None:
    with judge_server(lambda request, before: status if before < 2 else "fine") as server:
        judge = Judge(spec(server.url, attempts=3), Transcript(tmp_path / "replies.jsonl"))
        assert judge.ask("b", ["q0"], once)["q0"][0].text == "fine"
    assert len(server.requests) == 3
    assert judge.budget.requests == 1


def test_as_many_are_under_way_as_the_spec_says(tmp_path: Path) -> None:
    barrier = threading.Barrier(3)

    def says(request: dict[str, Any], before: int) -> str:
        barrier.wait(10)
        return "fine"

    with judge_server(says) as server:
        Judge(spec(server.url, concurrency=3), Transcript(tmp_path / "r")).ask("b", IDS, once)
    assert server.most_at_a_time == 3


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "refuses the key; to mend: set MY_KEY"),
        (404, r"is not there \(404\)"),
        (400, "refuses the request: .*refused with 400"),
        (500, "does not answer after 2 tries .*what was replied is kept in"),
    ],
)
def test_a_judge_that_fails_for_good_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, says: str
) -> None:
    monkeypatch.setenv("MY_KEY", "hush")
    with judge_server(lambda request, before: status) as server:
        judge = Judge(spec(server.url, attempts=2, key_env="MY_KEY"), Transcript(tmp_path / "r"))
        with pytest.raises(JudgeError, match=says) as error:
            judge.ask("b", IDS, once)
    assert server.keys[0] == "Bearer hush"
    assert "hush" not in str(error.value)


def test_nobody_answers(tmp_path: Path) -> None:
    judge = Judge(spec("http://127.0.0.1:9/v1", attempts=1), Transcript(tmp_path / "r"))
    with pytest.raises(JudgeError, match="does not answer after 1 tries"):
        judge.ask("b", IDS, once)


def test_a_key_that_is_not_set_is_known_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(JudgeError, match="NO_SUCH_KEY is not set"):
        Judge(spec("http://127.0.0.1:9/v1", key_env="NO_SUCH_KEY"), Transcript(tmp_path / "r"))


@pytest.mark.parametrize(
    ("limit", "asked"),
    [
        ({"max_requests": 2}, 2),
        ({"max_tokens": 40}, 3),  # 15 a reply: after three there are 45
        ({"max_cost": 50e-6, "prompt_price": 1, "completion_price": 3}, 2),  # 25e-6 a reply
    ],
)
def test_a_spent_budget_stops_cleanly_and_the_same_command_goes_on(
    tmp_path: Path, limit: dict[str, Any], asked: int
) -> None:
    file = tmp_path / "replies.jsonl"
    with judge_server(echo) as server:
        judge = Judge(spec(server.url, concurrency=1, **limit), Transcript(file))
        with pytest.raises(BudgetSpent, match=r"budget is spent.*the same command.*replies\.jsonl"):
            judge.ask("b", IDS, once)
        assert len(server.requests) == len(file.read_text().splitlines()) == asked
        Judge(spec(server.url), Transcript(file)).ask("b", IDS, once)
    assert len(server.requests) == len(IDS)


def test_a_budget_that_is_just_enough_is_enough(tmp_path: Path) -> None:
    with judge_server(echo) as server:
        judge = Judge(spec(server.url, max_requests=len(IDS)), Transcript(tmp_path / "r"))
        assert len(judge.ask("b", IDS, once)) == len(IDS)


def test_a_line_that_was_never_finished_is_asked_again(tmp_path: Path) -> None:
    file = tmp_path / "replies.jsonl"
    with judge_server(echo) as server:
        Judge(spec(server.url, concurrency=1), Transcript(file)).ask("b", IDS[:2], once)
        file.write_bytes(file.read_bytes()[:-20])
        replies = Judge(spec(server.url), Transcript(file)).ask("b", IDS[:2], once)
    assert len(replies) == 2
    assert len(server.requests) == 3
    assert len(file.read_text().splitlines()) == 2


@pytest.mark.parametrize("line", ["{}", "[]", "nope", '{"reply": 1}'])
def test_a_file_that_is_no_transcript_is_said(tmp_path: Path, line: str) -> None:
    (tmp_path / "r").write_text(line + "\n")
    with pytest.raises(DataError, match="line 1: not a judge's reply"):
        Transcript(tmp_path / "r")


def test_every_question_is_counted_once(tmp_path: Path) -> None:
    counted: list[int] = []
    with judge_server(echo) as server:
        Judge(spec(server.url), Transcript(tmp_path / "r"), counted.append).ask("b", IDS, once)
    assert sum(counted) == len(IDS)


def test_a_benchmark_without_its_judge_says_so() -> None:
    with pytest.raises(JudgeError, match="b is scored by a judge, and none is given"):
        ask(None, "b", IDS, once)


def test_an_interrupt_stops_every_thread(tmp_path: Path) -> None:
    def turn(id: str, replies: tuple[str, ...]) -> Asked | None:
        if id == "q1":
            raise KeyboardInterrupt
        return once(id, replies)

    def asked(ids: Sequence[str]) -> None:
        Judge(spec(server.url, concurrency=1), Transcript(tmp_path / "r")).ask("b", ids, turn)

    with judge_server(echo) as server, pytest.raises(KeyboardInterrupt):
        asked(IDS)
    assert len(server.requests) == 1
