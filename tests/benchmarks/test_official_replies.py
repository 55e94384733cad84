"""Replies in the files of the official scripts score as those scripts score them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mmhal_folder import REPLIES as HAL_REPLIES
from mmhal_folder import write_mmhal
from test_llava_bench import ANSWERS as LLAVA_ANSWERS
from test_llava_bench import REPLIES as LLAVA_REPLIES
from test_llava_bench import write_coco
from test_mm_vet import ANSWERS as VET_ANSWERS
from test_mm_vet import write_mm_vet

from dama.benchmarks.llava_bench import LlavaBench
from dama.benchmarks.mm_vet import MMVet
from dama.benchmarks.mmhal import MMHal
from dama.benchmarks.official_replies import read_replies
from dama.errors import DataError, JudgeError
from dama.records import Answer


def test_mmhals_list_of_responses(tmp_path: Path) -> None:
    file = tmp_path / "review.json"
    responses = [
        {
            "model": "gpt-4-0314",
            "choices": [{"message": {"content": text}}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 2},
        }
        for text in HAL_REPLIES
    ]
    file.write_text(json.dumps(responses, indent=2))
    answers = [Answer(f"i{number}", "a") for number in range(9)]
    benchmark = MMHal(write_mmhal(tmp_path), asker=read_replies("mmhal", file), mode="official")
    result = benchmark.score(answers)
    assert result.measure("score").value == 1.33
    assert (result.judge, result.details["prompt_tokens"]) == ("gpt-4-0314", 63)
    partial = MMHal(tmp_path, asker=read_replies("mmhal", file), partial=True)
    with pytest.raises(JudgeError, match="holds 9 replies in order, and 8 questions are answered"):
        partial.score(answers[:-1])


def test_llava_benchs_reviews(tmp_path: Path) -> None:
    file = tmp_path / "review.jsonl"
    rows = [
        {"question_id": n, "category": "conv", "content": text, "tuple": [-1, -1]}
        for n, text in enumerate(LLAVA_REPLIES)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    benchmark = LlavaBench(write_coco(tmp_path / "data"), asker=read_replies("llava-bench", file))
    assert benchmark.score(LLAVA_ANSWERS).measure("all").value == 85.7143
    file.write_text(json.dumps(rows[0]) + "\n")
    benchmark = LlavaBench(tmp_path / "data", asker=read_replies("llava-bench", file))
    with pytest.raises(JudgeError, match=r"holds no reply about 3 questions \(1, 2, 3\)"):
        benchmark.score(LLAVA_ANSWERS)
    some = LlavaBench(tmp_path / "data", asker=read_replies("llava-bench", file, partial=True), partial=True)
    result = some.score(LLAVA_ANSWERS)
    assert (result.n, result.missing, result.measure("all").value) == (1, 3, 75.0)


def test_mm_vets_grades(tmp_path: Path) -> None:
    file = tmp_path / "grade.json"
    grades = {
        f"v1_{n}": {"model": ["gpt-4"], "content": ["?"], "score": [grade]}
        for n, grade in enumerate((1.0, 0.5, 0.8, 0.0))
    }
    file.write_text(json.dumps(grades))
    result = MMVet(write_mm_vet(tmp_path), asker=read_replies("mm-vet", file)).score(VET_ANSWERS)
    assert result.measure("total").value == 57.5
    assert {measure.name: measure.value for measure in result.official}["total"] == 57.5


@pytest.mark.parametrize(
    ("benchmark", "text", "says"),
    [
        ("mmhal", '{"a": 1}', "in no form known for mmhal"),
        ("mmhal", "[{}]", "in no form known for mmhal"),
        ("llava-bench", "nope", "in no form known for llava-bench"),
        ("mm-vet", '{"v1_0": {"score": []}}', "in no form known for mm-vet"),
        ("mm-vet", "{}", "no reply in it"),
        ("object-halbench", "[]", "in no form known for object-halbench"),
        ("llava-bench", "", "no reply in it"),
    ],
)
def test_other_files_are_said(tmp_path: Path, benchmark: str, text: str, says: str) -> None:
    file = tmp_path / "replies"
    file.write_text(text)
    with pytest.raises(DataError, match=says):
        read_replies(benchmark, file)
    with pytest.raises(DataError, match="cannot be read"):
        read_replies(benchmark, tmp_path / "none")
