"""MMHal-Bench on nine questions, worked by hand for both modes."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmhal_folder import REPLIES, write_mmhal
from said import Said

from dama.benchmarks.base import Mode
from dama.benchmarks.mmhal import MMHal, official_rating, read_rating
from dama.errors import DataError, JudgeError
from dama.records import Answer, BenchmarkResult


def scored(folder: Path, mode: Mode = "robust") -> BenchmarkResult:
    said = Said({f"i{number}": reply for number, reply in enumerate(REPLIES)})
    answers = [Answer(f"i{number}", f"Answer {number}") for number in range(9)]
    return MMHal(write_mmhal(folder), asker=said, mode=mode).score(answers)


def test_ratings_are_counted_as_their_authors_meant(tmp_path: Path) -> None:
    result = scored(tmp_path)
    values = {measure.name: (measure.value, measure.n) for measure in result.measures}
    assert values["score"] == (3.0, 8)  # 6 5 4 3 2 0 3 1, and one that nobody can read
    assert values["hall"] == (37.5, 8)  # 2, 0, 1
    assert values["score_attribute"] == (3.5, 2)  # 6 and 1
    assert "score_environment" not in values
    assert (result.n, result.missing, result.unreadable) == (9, 0, 1)
    assert result.details["unreadable_ids"] == ["i5"]
    assert result.judge == "a-judge"
    assert (result.details["requests"], result.details["prompt_tokens"]) == (9, 900)
    assert result.details["cost"] == 0.018  # 900 tokens at 10 and 90 at 100 a million


def test_ratings_are_counted_as_the_script_does(tmp_path: Path) -> None:
    # 6 0 0 0 2 0 0 3 1: mean 12 / 9 = 1.33, 7 of 9 below 3 = 0.78
    result = scored(tmp_path, "official")
    values = {measure.name: measure.value for measure in result.measures}
    assert values["score"] == 1.33
    assert values["hall"] == 78.0
    assert values["score_attribute"] == 3.5
    assert values["score_environment"] == 0.0
    assert values == {measure.name: measure.value for measure in result.official}


def test_the_script_tells_types_by_place(tmp_path: Path) -> None:
    folder = write_mmhal(tmp_path, ("other", "attribute"))
    said = Said({"i0": "Rating: 6", "i1": "Rating: 2"})
    result = MMHal(folder, asker=said).score([Answer("i0", "a"), Answer("i1", "b")])
    assert result.measure("score_other").value == 6.0
    assert {m.name: m.value for m in result.official} == {
        "score": 4.0,
        "hall": 50.0,
        "score_attribute": 6.0,
        "score_adversarial": 2.0,
    }


@pytest.mark.parametrize(
    ("reply", "ours", "theirs"),
    [
        ("Rating: 4", 4, 4),
        ("RATING: 4.", 4, 4),
        ("rating 4", 4, 0),
        ("The rating is 4", 4, 0),
        ("Rating - 4/6", 4, 0),
        ("Rating:\n\n5", 5, 0),
        ("Rating: 4.5", None, 4),
        ("Rating: 7", None, 0),
        ("Rating: 10", None, 1),
        ("Rating: 0-6", None, 0),
        ("", None, 0),
        ("\n".join(f"- Rating: {n}" for n in range(7)), None, 0),
    ],
)
def test_a_rating_is_read_in_both_ways(reply: str, ours: int | None, theirs: int) -> None:
    assert read_rating(reply) == ours
    assert official_rating(reply) == theirs


def test_the_judge_sees_all_that_is_known(tmp_path: Path) -> None:
    said = Said({f"i{number}": "Rating: 5" for number in range(9)})
    benchmark = MMHal(write_mmhal(tmp_path), asker=said)
    benchmark.score([Answer(f"i{number}", "{} it {is}") for number in range(9)])
    (asked,) = said.asked["i3"]
    ((role, prompt),) = asked.messages
    assert (role, asked.temperature) == ("user", 0.0)
    for text in ("Cat, Table", "What is 3?", "It is 3.", "{} it {is}", "Rating: 6"):
        assert text in prompt


def test_the_authors_own_prompt_is_used_where_it_lies_beside_the_data(tmp_path: Path) -> None:
    folder = write_mmhal(tmp_path)
    (folder / "eval_gpt4.py").write_text("x = 1\ntemplate = '''C {} Q {} T {} A {}'''\nraise SystemExit\n")
    said = Said({f"i{number}": "Rating: 5" for number in range(9)})
    result = MMHal(folder, asker=said).score([Answer(f"i{number}", "a") for number in range(9)])
    assert said.asked["i0"][0].messages == (("user", "C Cat, Table Q What is 0? T It is 0. A a"),)
    assert result.details["prompt"] == "eval_gpt4.py"
    assert result.data_digest != scored(tmp_path / "other").data_digest


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("template = 'one {} place'", "template without four places"),
        ("prompt = ''", "assigns no text to template"),
        ("def", r"is not Python \(invalid syntax, line 1\)"),
    ],
)
def test_a_script_of_another_kind_is_said(tmp_path: Path, script: str, says: str) -> None:
    (write_mmhal(tmp_path) / "eval_gpt4.py").write_text(script)
    with pytest.raises(DataError, match=says):
        MMHal(tmp_path)


def test_images_are_named_by_id_or_as_at_their_source(tmp_path: Path) -> None:
    benchmark = MMHal(write_mmhal(tmp_path))
    questions = list(benchmark.questions())
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "photo0_o.jpg").write_bytes(b"zero")
    (tmp_path / "i1.png").write_bytes(b"one")
    benchmark = MMHal(tmp_path)
    assert [benchmark.image(question) for question in questions[:2]] == [b"zero", b"one"]


def test_without_a_judge_or_any_readable_reply_there_is_no_score(tmp_path: Path) -> None:
    answers = [Answer(f"i{number}", "a") for number in range(9)]
    with pytest.raises(JudgeError, match="mmhal is scored by a judge, and none is given"):
        MMHal(write_mmhal(tmp_path)).score(answers)
    with pytest.raises(JudgeError, match="of 9 replies none can be read"):
        MMHal(tmp_path, asker=Said({f"i{n}": "no" for n in range(9)})).score(answers)


def test_partial_answers_are_judged_only_when_allowed(tmp_path: Path) -> None:
    said = Said({"i4": "Rating: 6"})
    with pytest.raises(DataError, match=r"lack an answer: 8 \(i0, i1, i2, …\)"):
        MMHal(write_mmhal(tmp_path), asker=said).score([Answer("i4", "a")])
    result = MMHal(tmp_path, asker=said, partial=True).score([Answer("i4", "a")])
    assert (result.n, result.missing, result.measure("score").value) == (1, 8, 6.0)
