"""AMBER on three captions and seven questions, worked by hand for both modes."""

from __future__ import annotations

from pathlib import Path

import pytest
from amber_folder import CAPTIONS, QUESTIONS, TEXTS, write_amber

from dama.benchmarks.amber import Amber, Part
from dama.benchmarks.base import Mode
from dama.errors import DataError
from dama.records import Answer, BenchmarkResult, Question


def answers(**changes: str) -> list[Answer]:
    texts = {str(id): text for id, text in TEXTS.items()} | {key[1:]: text for key, text in changes.items()}
    return [Answer(id, text) for id, text in texts.items()]


def scored(folder: Path, mode: Mode = "robust") -> BenchmarkResult:
    return Amber(write_amber(folder), mode=mode).score(answers())


def values(result: BenchmarkResult, *names: str) -> dict[str, float]:
    return {name: result.measure(name).value for name in names}


def test_captions_are_counted_as_their_authors_meant(tmp_path: Path) -> None:
    # 1: dog, ground in the image; dove stands for a bird, tempting and false; sand is a safe word. 4 nouns.
    # 2: two boats are one mention of the ship; Man and men are false and tempt nobody here. 3 nouns.
    # 3: leaves stand for the tree. 1 noun.
    assert values(scored(tmp_path), "chair", "cover", "hal", "cog") == {
        "chair": 37.5,  # 3 of 8
        "cover": 66.6667,  # dog, ground; ship; tree: 4 of beach, ground, dog, ship, sky, tree
        "hal": 66.6667,  # captions 1 and 2
        "cog": 20.0,  # the bird, of bird, man, dog, sky, man
    }


def test_captions_are_counted_as_the_script_does(tmp_path: Path) -> None:
    # ground is credited to the beach, for which it also stands; Man, men and leaves are lost by WordNet's
    # lemmatizer; the second ship can never be covered.
    result = scored(tmp_path, "official")
    assert values(result, "chair", "cover", "hal", "cog") == {
        "chair": 20.0,  # 1 of dog, ground, dove, sand, boat
        "cover": 42.9,  # dog, beach; ship: 3 of 7.001 = 42.85 %
        "hal": 33.4,  # 100 - 2 / 3.001 = 33.36 %
        "cog": 20.0,
    }
    assert result.mode == "official"
    assert result.measures == tuple(
        m for m in result.measures if m.value in {n.value for n in result.official}
    )


def test_questions_are_counted_as_their_authors_meant(tmp_path: Path) -> None:
    result = scored(tmp_path)
    # right: 4, 6, 7, 10; said no: 4, 7, 8; truly no: 4, 5, 7, 9
    assert values(result, "accuracy", "precision", "recall", "f1") == {
        "accuracy": 57.1429,
        "precision": 66.6667,
        "recall": 50.0,
        "f1": 57.1429,
    }
    assert values(
        result, "existence_accuracy", "existence_precision", "existence_recall", "existence_f1"
    ) == {
        "existence_accuracy": 50.0,
        "existence_precision": 100.0,
        "existence_recall": 50.0,
        "existence_f1": 66.6667,
    }
    assert result.measure("attribute_precision").value == 50.0
    n = {name: result.measure(f"{name}accuracy").n for name in ("", "existence_", "attribute_", "relation_")}
    assert n == {"": 7, "existence_": 2, "attribute_": 3, "relation_": 2}
    assert result.unreadable == 1
    assert result.details["unreadable_ids"] == ["9"]


def test_questions_are_counted_as_the_script_does(tmp_path: Path) -> None:
    # exactly Yes or No: right are 4, 7, 10 (`yes.` is wrong); said no: 4, 7, 8; truly no: 4, 5, 7, 9
    result = scored(tmp_path, "official")
    assert values(result, "accuracy", "precision", "recall") == {
        "accuracy": 42.9,  # 3 / 7.001 = 42.85
        "precision": 66.6,  # 2 / 3.001 = 66.64
        "recall": 50.0,  # 2 / 4.001 = 49.99
    }
    # from the rounded two: 2 · 0.666 · 0.5 / (1.166 + 0.0001) = 57.11
    assert result.measure("f1").value == 57.1
    # existence: 1 / 1.001 = 99.9, 1 / 2.001 = 50.0; 2 · 0.999 · 0.5 / (1.499 + 0.001) = 66.6
    assert result.measure("existence_f1").value == 66.6
    assert result.measure("existence_precision").value == 99.9
    # nothing was answered "no" about relations: 0 / 0.001
    assert result.measure("relation_precision").value == 0.0


def test_the_amber_score_joins_both_halves(tmp_path: Path) -> None:
    result = scored(tmp_path)
    assert result.measure("amber").value == pytest.approx((100 - 37.5 + 57.1429) / 2, abs=1e-4)
    official = {measure.name: measure.value for measure in result.official}
    assert official["amber"] == pytest.approx((100 - 20.0 + 57.1) / 2)


def test_undefined_figures_are_left_out_where_the_script_prints_zero(tmp_path: Path) -> None:
    names = {measure.name for measure in scored(tmp_path).measures}
    assert "relation_recall" in names
    assert "relation_precision" not in names


@pytest.mark.parametrize(
    ("part", "questions", "some", "other"),
    [
        ("generative", 3, "chair", "accuracy"),
        ("discriminative", 7, "f1", "chair"),
        ("existence", 2, "existence_f1", "f1"),
        ("attribute", 3, "state_accuracy", "accuracy"),
        ("relation", 2, "relation_accuracy", "amber"),
    ],
)
def test_a_part_has_its_own_questions_and_figures(
    tmp_path: Path, part: Part, questions: int, some: str, other: str
) -> None:
    amber = Amber(write_amber(tmp_path), part=part)
    asked = list(amber.questions())
    assert len(asked) == questions
    result = amber.score([Answer(question.id, TEXTS[int(question.id)]) for question in asked])
    names = {measure.name for measure in result.measures}
    assert some in names
    assert other not in names
    assert result.data_digest != Amber(tmp_path).data_digest


def test_answers_for_another_part_are_named(tmp_path: Path) -> None:
    amber = Amber(write_amber(tmp_path), part="generative")
    with pytest.raises(DataError, match=r"were never asked: 7 \(4, 5, 6, …\)") as error:
        amber.score(answers())
    assert "another part" in str(error.value)


def test_partial_answers_are_scored_only_when_allowed(tmp_path: Path) -> None:
    few = answers()[:3] + answers()[-1:]
    with pytest.raises(DataError, match=r"lack an answer: 6 \(4, 5, 6, …\).*--allow-partial"):
        Amber(write_amber(tmp_path)).score(few)
    result = Amber(tmp_path, partial=True).score(few)
    assert (result.n, result.missing) == (4, 6)
    assert result.measure("chair").n == 3
    with pytest.raises(DataError, match=r"lack an answer: 10"):
        Amber(tmp_path, partial=True).score([])


def test_the_order_of_answers_does_not_matter(tmp_path: Path) -> None:
    write_amber(tmp_path)
    assert Amber(tmp_path).score(answers()) == Amber(tmp_path).score(answers()[::-1])


def test_intervals_hold_their_figures(tmp_path: Path) -> None:
    for measure in scored(tmp_path).measures:
        assert measure.low is not None
        assert measure.high is not None
        assert measure.low - 1e-9 <= measure.value <= measure.high + 1e-9


def test_images_are_found_below_the_folder_or_beside_it(tmp_path: Path) -> None:
    write_amber(tmp_path / "data")
    for place in (tmp_path / "data" / "image", tmp_path / "elsewhere"):
        place.mkdir()
        (place / "AMBER_1.jpg").write_bytes(place.name.encode())
    question = Question("1", "AMBER_1.jpg", "")
    assert Amber(tmp_path / "data").image(question) == b"image"
    assert Amber(tmp_path / "data", images=tmp_path / "elsewhere").image(question) == b"elsewhere"
    with pytest.raises(DataError, match=r"question 2 has no image \.\./AMBER_1\.jpg"):
        Amber(tmp_path / "data").image(Question("2", "../AMBER_1.jpg", ""))


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("annotations.json", '[{"id": 1, "type": "generative"}]', "annotations.json has a row without truth"),
        ("annotations.json", '[{"id": 1, "type": "relation", "truth": "perhaps"}]', "truth 'perhaps'"),
        ("annotations.json", "[]", "says nothing of question 1"),
        ("relation.json", "[]", "relation.json is no object"),
        ("query_generative.json", "{", "query_generative.json is not JSON"),
    ],
)
def test_files_in_another_format_are_named(tmp_path: Path, file: str, content: str, says: str) -> None:
    (write_amber(tmp_path) / file).write_text(content)
    with pytest.raises(DataError, match=says):
        Amber(tmp_path)


def test_a_missing_file_or_folder_is_named(tmp_path: Path) -> None:
    (write_amber(tmp_path) / "safe_words.txt").unlink()
    with pytest.raises(DataError, match=r"holds no safe_words\.txt"):
        Amber(tmp_path)
    with pytest.raises(DataError, match="is no folder"):
        Amber(tmp_path / "none")


def test_questions_come_in_order_of_their_ids(tmp_path: Path) -> None:
    asked = list(Amber(write_amber(tmp_path)).questions())
    assert [question.id for question in asked] == [str(id) for id in (*CAPTIONS, *QUESTIONS)]
    assert asked[0] == Question("1", "AMBER_1.jpg", "Describe this image.")
