"""MM-Vet on four questions, worked by hand for both modes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from said import Said

from dama.benchmarks.base import Mode
from dama.benchmarks.mm_vet import MMVet, official_grade, read_grade
from dama.errors import DataError, JudgeError
from dama.records import Answer, BenchmarkResult

ABILITIES = (["ocr", "math"], ["rec"], ["rec", "know", "gen"], ["ocr", "spat"])
UNREADABLE = ["Correct", "Well", "It is", "hm", "no", "0.9"]


def write_mm_vet(folder: Path) -> Path:
    rows = {
        f"v1_{n}": {
            "imagename": f"v1_{n}.png",
            "question": f"What is {n}?",
            "answer": f"{n}<AND>more<OR>less",
            "imagesource": "x",
            "capability": abilities,
        }
        for n, abilities in enumerate(ABILITIES)
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mm-vet.json").write_text(json.dumps(rows))
    return folder


REPLIES: dict[str, str | list[str]] = {
    "v1_0": "1.0",
    "v1_1": "0.5 because",
    "v1_2": ["Correctness: 0.2", "0.8"],
    "v1_3": UNREADABLE,
}
ANSWERS = [Answer(f"v1_{n}", f"ours {n}") for n in range(4)]


def scored(folder: Path, mode: Mode = "robust") -> BenchmarkResult:
    return MMVet(write_mm_vet(folder), asker=Said(REPLIES), mode=mode).score(ANSWERS)


def test_grades_are_counted_as_their_authors_meant(tmp_path: Path) -> None:
    # the third question's first reply can be read, and so can the last one's sixth
    result = scored(tmp_path)
    assert {measure.name: (measure.value, measure.n) for measure in result.measures} == {
        "total": (65.0, 4),  # 1.0, 0.5, 0.2, 0.9
        "rec": (35.0, 2),
        "ocr": (95.0, 2),
        "know": (20.0, 1),
        "gen": (20.0, 1),
        "spat": (90.0, 1),
        "math": (100.0, 1),
    }
    assert result.details["requests"] == 1 + 1 + 2 + 6


def test_grades_are_counted_as_the_evaluator_does(tmp_path: Path) -> None:
    values = {measure.name: measure.value for measure in scored(tmp_path, "official").measures}
    assert values == {
        "total": 57.5,  # 1.0, 0.5, 0.8, and 0 where five replies cannot be read
        "rec": 65.0,
        "ocr": 50.0,
        "know": 80.0,
        "gen": 80.0,
        "spat": 0.0,
        "math": 100.0,
    }


@pytest.mark.parametrize(
    ("reply", "ours", "theirs"),
    [
        ("0.5", 0.5, 0.5),
        ("1", 1.0, 1.0),
        ("0.5.", 0.5, 0.0),
        ("`0.5`", 0.5, 0.0),
        ("```\n0.5\n```", 0.5, 0.0),
        ("Correctness: 0.5", 0.5, 0.0),
        (".5", 0.5, 0.5),
        ("1.5", None, 0.0),
        ("-0.5", 0.5, 0.0),
        ("5/10", None, 0.0),
        ("0.5 or 0.6", None, 0.5),
        ("nan", None, 0.0),
        ("", None, 0.0),
    ],
)
def test_a_grade_is_read_in_both_ways(reply: str, ours: float | None, theirs: float) -> None:
    assert read_grade([reply]) == ours
    assert official_grade([reply]) == theirs


def test_an_unreadable_reply_is_asked_for_again_as_the_evaluator_does(tmp_path: Path) -> None:
    said = Said(REPLIES)
    MMVet(write_mm_vet(tmp_path), asker=said).score(ANSWERS)
    first, *again = said.asked["v1_3"]
    assert [asked.temperature for asked in (first, *again)] == [0.0, 0.0, 0.5, 1.0, 1.5, 2.0]
    prompt = first.messages[0][1]
    assert prompt.endswith("\nWhat is 3? | 3 <AND> more <OR> less | ours 3 | ")
    assert len({asked.messages for asked in again}) == 1
    assert again[0].messages[0][1].startswith(prompt + "\n")


def test_a_question_without_any_readable_reply_is_left_out(tmp_path: Path) -> None:
    said = Said({**REPLIES, "v1_3": ["?"] * 6})
    result = MMVet(write_mm_vet(tmp_path), asker=said).score(ANSWERS)
    assert result.unreadable == 1
    assert result.measure("total").value == pytest.approx(100 * 1.7 / 3, abs=1e-4)
    with pytest.raises(JudgeError, match="none can be read"):
        MMVet(tmp_path, asker=Said({f"v1_{n}": ["?"] * 6 for n in range(4)})).score(ANSWERS)


def test_the_evaluators_own_prompt_is_used_where_it_lies_beside_the_data(tmp_path: Path) -> None:
    (write_mm_vet(tmp_path) / "mm-vet_evaluator.py").write_text('prompt = """Table:\n"""\n')
    said = Said(REPLIES)
    result = MMVet(tmp_path, asker=said).score(ANSWERS)
    asked = said.asked["v1_0"][0]
    assert asked.messages[0][1] == "Table:\n\nWhat is 0? | 0 <AND> more <OR> less | ours 0 | "
    assert asked.max_tokens == 3
    assert result.details["prompt"] == "mm-vet_evaluator.py"


def test_images_and_malformed_files(tmp_path: Path) -> None:
    write_mm_vet(tmp_path)
    (tmp_path / "v1_0.png").write_bytes(b"zero")
    benchmark = MMVet(tmp_path)
    assert benchmark.image(next(benchmark.questions())) == b"zero"
    (tmp_path / "mm-vet.json").write_text("[]")
    with pytest.raises(DataError, match="no object from id to question"):
        MMVet(tmp_path)
