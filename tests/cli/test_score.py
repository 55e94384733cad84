"""`dama score`: answers in, figures out; what is wrong is one line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from amber_folder import TEXTS, write_amber
from commands import dama
from judge_server import judge_server
from mmhal_folder import REPLIES, write_mmhal


@pytest.fixture
def amber(tmp_path: Path) -> Path:
    """A folder with `data`, a small AMBER, and `answers.json`."""
    write_amber(tmp_path / "data")
    rows = [{"id": id, "response": text} for id, text in TEXTS.items()]
    (tmp_path / "answers.json").write_text(json.dumps(rows))
    return tmp_path


def said_in(result: subprocess.CompletedProcess[str], code: int) -> str:
    assert result.returncode == code, result.stderr
    (line,) = result.stderr.splitlines()
    return line


def test_amber_is_scored_and_printed(amber: Path) -> None:
    result = dama("score", "amber", "--answers", amber / "answers.json", "--data", amber / "data")
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["measure", "robust", "95", "%", "official", "script", "n"]
    (chair,) = [line.split() for line in lines if line.startswith("chair ")]
    assert chair[:4] == ["chair", "(%)", "↓", "37.50"]
    assert chair[-2:] == ["20.00", "3"]
    assert "amber, version 1, 10 questions; nouns: lemma match; 1 could not be read" in result.stdout


def test_a_result_is_written_whole(amber: Path) -> None:
    out = amber / "out"
    arguments = ("--answers", amber / "answers.json", "--data", amber / "data", "--out", out, "--json")
    result = dama("score", "amber", *arguments, "--name", "a <model>", "--against", "7b-dama")
    assert result.returncode == 0, result.stderr
    written = json.loads((out / "result.json").read_text())
    assert written == json.loads(result.stdout)
    assert (written["n"], written["mode"], written["missing"]) == (10, "robust", 0)
    markdown, page = (out / "table.md").read_text(), (out / "table.html").read_text()
    assert "a \\<model\\>" in markdown
    assert "a &lt;model&gt;" in page
    for text in (markdown, page):
        assert "the paper" in text
        assert "90.87" in text


def test_the_scripts_figures_lead_where_asked_for(amber: Path) -> None:
    result = dama(
        "score", "amber", "--answers", amber / "answers.json", "--data", amber / "data",
        "--mode", "official", "--part", "all", "--json",
    )  # fmt: skip
    found = json.loads(result.stdout)
    assert {m["name"]: m["value"] for m in found["measures"]}["chair"] == 20.0


def test_partial_answers_want_a_word(amber: Path) -> None:
    rows = json.loads((amber / "answers.json").read_text())
    (amber / "answers.json").write_text(json.dumps(rows[:4]))
    arguments = ("score", "amber", "--answers", amber / "answers.json", "--data", amber / "data")
    assert "lack an answer: 6 (5, 6, 7, …)" in said_in(dama(*arguments), 1)
    result = dama(*arguments, "--allow-partial")
    assert "6 questions are missing and count in no figure" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("amber", "--judge-model", "x"), 2, "AMBER has no judge"),
        (("mmhal",), 1, "mmhal is scored by a judge, and none is given; to mend: give --judge-model"),
        (("mmhal", "--judge-model", "x", "--replies", "y"), 2, "not both"),
        (("mmhal", "--judge-model", "x", "--max-requests", "0"), 2, "judge.max_requests"),
        (("amber", "--against", "70b"), 2, "'70b' is none of 7b, 7b-dpo"),
        (("mmhal", "--judge-model", "x", "--judge-key", "NO_SUCH_KEY"), 1, "NO_SUCH_KEY is not set"),
        (("nothing",), 2, "nothing"),
        (("mmhal", "--replies", "none.jsonl"), 1, "replies none.jsonl cannot be read"),
    ],
)
def test_what_is_wrong_is_one_line(amber: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    result = dama(
        "score", *arguments, "--answers", amber / "answers.json", "--data", amber / "data", cwd=amber
    )
    assert says in said_in(result, code)


def test_a_judge_is_asked_once_and_its_replies_score_again(tmp_path: Path) -> None:
    write_mmhal(tmp_path / "data")
    answers = {f"i{number}": f"Answer {number}" for number in range(9)}
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    replies = {f"Answer {number}": reply for number, reply in enumerate(REPLIES)}
    command = ("score", "mmhal", "--answers", "answers.json", "--data", "data")

    def says(request: dict[str, object], before: int) -> str:
        return next(reply for text, reply in replies.items() if text in json.dumps(request))

    with judge_server(says) as server:
        judge = ("--judge-model", "critic", "--judge-url", server.url, "--judge-key", "")
        spent = dama(*command, *judge, "--max-requests", "4", cwd=tmp_path)
        assert "the judge's budget is spent: 4 requests" in spent.stderr.splitlines()[-1]
        first = dama(*command, *judge, cwd=tmp_path)
        assert first.returncode == 0, first.stderr
    assert len(server.requests) == 9
    kept = tmp_path / "score-mmhal" / "replies-mmhal.jsonl"
    assert len(kept.read_text().splitlines()) == 9
    assert "judged by critic-2026 (9 requests)" in first.stdout
    again = dama(*command, "--replies", kept, "--json", cwd=tmp_path)
    assert json.loads(again.stdout) == json.loads((tmp_path / "score-mmhal" / "result.json").read_text())
