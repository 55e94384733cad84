"""A judge's replies outlive the stage that asks for them, whatever ends it, and serve every later scoring."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asked_run
import pytest
from asked_run import planned
from judge_server import judge_server
from mmhal_folder import write_mmhal
from odd_server import OddServer
from PIL import Image

from dama.errors import BudgetSpent, DataError, StoreUnreachable
from dama.spec.load import dump, parse
from dama.spec.run import RunSpec
from dama.stages.base import run_stage
from dama.stages.freeze import freeze
from dama.stages.kept_replies import kept_replies
from dama.storage.commit import Commit, write_artifact
from dama.storage.local import LocalStore
from dama.storage.uri import open_store

ASKED, SCORED = "baseline-answers", "baseline"
RATED = "Fine. Rating: 4"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small MMHal-Bench of nine questions."""
    write_mmhal(tmp_path / "mmhal")
    encoded = io.BytesIO()
    Image.new("RGB", (40, 30), "green").save(encoded, "PNG")
    for number in range(9):
        (tmp_path / "mmhal" / f"i{number}.png").write_bytes(encoded.getvalue())
    return tmp_path


def a_run(folder: Path, url: str, model: str = "critic", mode: str = "robust", **judge: Any) -> RunSpec:
    """Write run.yaml, answered already; return the run."""
    asked = {"model": model, "key_env": None, "base_url": url, "concurrency": 1, **judge}
    benchmark = {"kind": "mmhal", "data": "mmhal", "mode": mode, "judge": asked}
    text = "model: tiny\nmethod: dpo\nstorage: {uri: store}"
    spec = freeze(parse(text, [f"evaluate.benchmarks=[{json.dumps(benchmark)}]"], folder=folder))
    (folder / "run.yaml").write_text(dump(spec))
    whole, empty = planned(spec), folder / "empty"
    empty.mkdir(exist_ok=True)
    write_artifact(open_store(spec.storage), whole["world"].prefix, empty, {})
    run_stage(spec, whole[ASKED], whole)
    return spec


def scored(spec: RunSpec) -> Commit:
    whole = planned(spec)
    return run_stage(spec, whole[SCORED], whole).commit


def kept(folder: Path) -> list[str]:
    """Return the lines that the store keeps below the answers, of all judges."""
    files = (folder / "store").glob("artifacts/baseline-answers/*/replies/mmhal-*.jsonl")
    return [line for file in files for line in file.read_text().splitlines()]


@pytest.fixture
def judge() -> Iterator[OddServer]:
    with judge_server(lambda request, before: RATED) as server:
        yield server


def test_another_mode_asks_nobody_and_another_judge_is_asked(folder: Path, judge: OddServer) -> None:
    robust = scored(a_run(folder, judge.url))
    assert len(judge.requests) == 9
    official = scored(a_run(folder, judge.url, mode="official"))
    assert len(judge.requests) == 9, "the replies about these answers are there"
    assert official.parts["replies-mmhal.jsonl"] == robust.parts["replies-mmhal.jsonl"]
    assert official.meta["results"][0]["mode"] == "official"
    other = scored(a_run(folder, judge.url, model="another"))
    assert len(judge.requests) == 18
    assert other.meta["results"][0]["judge"] == "another-2026"
    assert len(kept(folder)) == 18
    lines = (folder / "store").glob("artifacts/baseline/*/replies-mmhal.jsonl")
    assert [len(file.read_text().splitlines()) for file in lines] == [9, 9, 9], "each has its own judge's"


def test_a_spent_budget_loses_no_reply(folder: Path, judge: OddServer) -> None:
    with pytest.raises(BudgetSpent, match=r"kept in .*store/artifacts/baseline-answers/.*/replies/mmhal-"):
        scored(a_run(folder, judge.url, max_requests=4))
    assert (len(judge.requests), len(kept(folder))) == (4, 4)
    commit = scored(a_run(folder, judge.url))
    assert len(judge.requests) == 9
    assert commit.meta["results"][0]["details"]["requests"] == 9


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_stage_that_is_ended_while_it_judges_asks_only_what_was_not_replied(
    folder: Path, number: int
) -> None:
    go_on = threading.Event()

    def says(request: dict[str, Any], before: int) -> str:
        if before == 4:
            go_on.wait(60)
        return RATED

    with judge_server(says) as server:
        spec = a_run(folder, server.url)
        command = [sys.executable, asked_run.__file__, SCORED, str(folder / "run.yaml")]
        process = subprocess.Popen(command, env=dict(os.environ), stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while len(server.requests) < 5 or len(kept(folder)) < 4:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait()
        go_on.set()
        assert process.wait(60) != 0
        there, asked = len(kept(folder)), len(server.requests)
        assert there == (4 if number == signal.SIGKILL else 5), "the reply that came last is kept as well"
        commit = scored(spec)
        assert len(server.requests) - asked == 9 - there
    assert commit.meta["results"][0]["n"] == 9


def test_replies_in_the_store_that_are_none_are_told_with_their_place(folder: Path, judge: OddServer) -> None:
    spec = a_run(folder, judge.url)
    scored(spec)
    (file,) = (folder / "store").glob("artifacts/baseline-answers/*/replies/*")
    file.write_text('{"no": "reply"}\n')
    open_store(spec.storage).delete(f"{planned(spec)[SCORED].prefix}/commit.json")
    with pytest.raises(DataError, match=r"replies .*store/artifacts/.*/replies/mmhal-.*, line 1: not a"):
        scored(spec)


class Flaky(LocalStore):
    """A store that does not answer for a while."""

    down = False

    def put_bytes(self, key: str, data: bytes) -> None:
        if self.down:
            raise StoreUnreachable("no answer")
        super().put_bytes(key, data)


def test_half_a_line_is_not_saved_and_a_store_that_comes_back_has_all(tmp_path: Path) -> None:
    store, file = Flaky(tmp_path / "store"), tmp_path / "replies.jsonl"
    with kept_replies(store, "replies/a.jsonl", file, pause=0.01):
        file.write_text("one\ntw")
        until(lambda: store.size("replies/a.jsonl") == 4)
        store.down = True
        file.write_text("one\ntwo\nthree\n")
        time.sleep(0.05)
        assert store.get_bytes("replies/a.jsonl") == b"one\n"
        store.down = False
    assert store.get_bytes("replies/a.jsonl") == b"one\ntwo\nthree\n"
    again = tmp_path / "again.jsonl"
    with kept_replies(store, "replies/a.jsonl", again):
        assert again.read_text() == "one\ntwo\nthree\n"


def test_a_store_that_is_down_at_the_end_is_told(tmp_path: Path) -> None:
    store, file = Flaky(tmp_path / "store"), tmp_path / "replies.jsonl"

    def spend() -> None:
        with kept_replies(store, "replies/a.jsonl", file):
            file.write_text("one\n")
            store.down = True
            raise BudgetSpent("no more")

    with pytest.raises(StoreUnreachable) as caught:
        spend()
    assert isinstance(caught.value.__context__, BudgetSpent)


def until(there: Any) -> None:
    deadline = time.monotonic() + 120
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.01)
