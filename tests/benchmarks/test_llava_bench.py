"""LLaVA-Bench in both of its sets, worked by hand for both modes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from said import Said

from dama.benchmarks.base import Mode
from dama.benchmarks.llava_bench import LlavaBench, official_grades, read_grades
from dama.errors import DataError, JudgeError
from dama.records import Answer, BenchmarkResult

CATEGORIES = ("conv", "detail", "complex", "conv")


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_coco(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    questions = [
        {"question_id": n, "image": f"{n % 2:012d}.jpg", "text": f"What is {n}?", "category": category}
        for n, category in enumerate(CATEGORIES)
    ]
    write_lines(folder / "qa90_questions.jsonl", questions)
    reference = [
        {"question_id": n, "text": f"GPT {n}", "category": CATEGORIES[n]} for n in reversed(range(4))
    ]
    write_lines(folder / "qa90_gpt4_answer.jsonl", reference)
    boxes = [{"category": "cat", "bbox": [0.1, 0.2, 0.3, 0.4]}, {"category": "dog", "bbox": [0, 0, 1, 1]}]
    contexts = [
        {"id": f"{n}", "image": f"{n:012d}.jpg", "captions": [f"Caption {n}.", "More."], "instances": boxes}
        for n in range(2)
    ]
    write_lines(folder / "context.jsonl", contexts)
    return folder


def write_wild(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_lines(
        folder / "questions.jsonl",
        [{"question_id": 0, "image": "001.jpg", "text": "Where?", "category": "complex"}],
    )
    write_lines(folder / "answers_gpt4.jsonl", [{"question_id": 0, "text": "There.", "answer_id": "x"}])
    write_lines(folder / "context.jsonl", [{"id": "001", "image": "001.jpg", "caption": "A place."}])
    return folder


REPLIES = ["8 6\nBecause.", "9, 9\nBecause.", "10 5", "Assistant 1: 8, Assistant 2: 10\nBecause."]
ANSWERS = [Answer(str(n), f"ours {n}") for n in range(4)]


def scored(folder: Path, mode: Mode = "robust") -> BenchmarkResult:
    said = Said({str(n): reply for n, reply in enumerate(REPLIES)})
    return LlavaBench(write_coco(folder), asker=said, mode=mode).score(ANSWERS)


def test_grades_are_counted_as_their_authors_meant(tmp_path: Path) -> None:
    result = scored(tmp_path)
    assert {measure.name: (measure.value, measure.n) for measure in result.measures} == {
        "all": (85.7143, 4),  # 30 of 35
        "conv": (100.0, 2),  # 6 + 10 of 8 + 8
        "detail": (100.0, 1),
        "complex": (50.0, 1),
    }
    assert result.unreadable == 0
    assert result.details["set"] == "coco"


def test_grades_are_counted_as_the_script_does(tmp_path: Path) -> None:
    # `9, 9` becomes three words and the last line eight: -1 for both, in the means
    values = {measure.name: measure.value for measure in scored(tmp_path, "official").measures}
    assert values == {
        "all": 56.2,  # (6 - 1 + 5 - 1) / 4 = 2.25 of (8 - 1 + 10 - 1) / 4 = 4.0
        "conv": 71.4,  # 2.5 of 3.5
        "detail": 100.0,  # -1 of -1
        "complex": 50.0,
    }


@pytest.mark.parametrize(
    ("reply", "ours", "theirs"),
    [
        ("8 9\nwhy", (8, 9), (8, 9)),
        ("8.5 9", (8.5, 9), (8.5, 9)),
        ("8,9", (8, 9), (8, 9)),
        ("8, 9", (8, 9), (-1, -1)),
        ("8 9 ", (8, 9), (-1, -1)),
        ("\n8 9", (8, 9), (-1, -1)),
        ("```\n8 9\n```", (8, 9), (-1, -1)),
        ("**8 9**", (8, 9), (-1, -1)),
        ("8/10 9/10", (8, 9), (-1, -1)),
        ("good bad", None, (-1, -1)),
        ("Both are good: 8 and 9, of 10.", None, (-1, -1)),
        ("80 90", None, (80, 90)),
        ("", None, (-1, -1)),
    ],
)
def test_grades_are_read_in_both_ways(
    reply: str, ours: tuple[float, float] | None, theirs: tuple[float, float]
) -> None:
    assert read_grades(reply) == ours
    assert official_grades(reply) == theirs


def test_an_unreadable_reply_poisons_no_mean(tmp_path: Path) -> None:
    said = Said({"0": "8 6", "1": "I cannot", "2": "10 5", "3": "4 4"})
    result = LlavaBench(write_coco(tmp_path), asker=said).score(ANSWERS)
    assert result.unreadable == 1
    assert result.measure("all").value == pytest.approx(100 * 15 / 22, abs=1e-4)
    assert [measure.name for measure in result.measures] == ["all", "conv", "complex"]


def test_the_judge_sees_context_question_and_both_answers_in_order(tmp_path: Path) -> None:
    said = Said(dict.fromkeys("0123", "8 8"))
    LlavaBench(write_coco(tmp_path), asker=said).score(ANSWERS)
    (asked,) = said.asked["1"]
    (system, _), (user, prompt) = asked.messages
    assert (system, user, asked.temperature, asked.max_tokens) == ("system", "user", 0.2, 1024)
    assert prompt.startswith(
        "[Context]\nCaption 1.\nMore.\n\ncat: [0.1, 0.2, 0.3, 0.4]\ndog: [0, 0, 1, 1]\n\n"
        "[Question]\nWhat is 1?\n\n"
        "[Assistant 1]\nGPT 1\n\n[End of Assistant 1]\n\n"
        "[Assistant 2]\nours 1\n\n[End of Assistant 2]\n\n"
        "[System]\n"
    )
    assert "five captions and the boxes" in prompt


def test_the_published_prompts_are_used_where_they_lie_beside_the_data(tmp_path: Path) -> None:
    folder = write_wild(tmp_path)
    rules = {
        f"llava_bench_{name}": {"role": "Helper", "prompt": f"Rule {name}."}
        for name in ("conv", "detail", "complex")
    }
    (folder / "rule.json").write_text(json.dumps(rules))
    (folder / "eval_gpt_review_bench.py").write_text("m = [{'role': 'system', 'content': 'Judge well.'}]")
    said = Said({"0": "10 7"})
    result = LlavaBench(folder, asker=said).score([Answer("0", "Here.")])
    (_, system), (_, prompt) = said.asked["0"][0].messages
    assert system == "Judge well."
    assert prompt.endswith("[Helper 2]\nHere.\n\n[End of Helper 2]\n\n[System]\nRule complex.\n\n")
    assert result.details["prompt"] == "eval_gpt_review_bench.py and rule.json"
    assert result.details["set"] == "in the wild"
    assert result.measure("complex").value == 70.0


def test_a_script_without_a_system_message_is_said(tmp_path: Path) -> None:
    (write_wild(tmp_path) / "eval_gpt_review_bench.py").write_text("d = {'role': 'user', **{}}")
    with pytest.raises(DataError, match="builds no system message"):
        LlavaBench(tmp_path)


def test_a_question_without_context_is_said(tmp_path: Path) -> None:
    (write_wild(tmp_path) / "answers_gpt4.jsonl").write_text('{"question_id": 5, "text": "x"}\n')
    with pytest.raises(DataError, match=r"asks question 0 \(complex\) without context"):
        LlavaBench(tmp_path)
    (tmp_path / "answers_gpt4.jsonl").write_text('{"question_id": 5}\n')
    with pytest.raises(DataError, match=r"qa90_gpt4_answer\.jsonl has a row without text"):
        LlavaBench(tmp_path)


def test_images_bear_their_own_name_or_cocos(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "COCO_val2014_000000000000.jpg").write_bytes(b"zero")
    benchmark = LlavaBench(tmp_path)
    assert benchmark.image(next(benchmark.questions())) == b"zero"


def test_no_readable_reply_is_an_error(tmp_path: Path) -> None:
    said = Said(dict.fromkeys("0123", "no"))
    with pytest.raises(JudgeError, match="of 4 replies none can be read"):
        LlavaBench(write_coco(tmp_path), asker=said).score(ANSWERS)
