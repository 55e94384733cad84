"""Object HalBench on four images, with and without a judge, worked by hand for both modes."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from said import Said

from dama.benchmarks.base import Mode
from dama.benchmarks.coco_objects import CocoObjects, Named
from dama.benchmarks.object_halbench import ObjectHalBench, official_list, read_list
from dama.errors import DataError
from dama.records import Answer, BenchmarkResult

SYNONYMS = """person, man, woman, people, child
dog, puppy
hot dog
dining table, table
chair, seat
toilet
tie
wine glass
vase
"""
CATEGORIES = {1: "person", 18: "dog", 67: "dining table", 62: "chair", 70: "toilet", 86: "vase"}
BOXES = {11: [18, 1], 12: [67], 13: [70], 14: [86]}
CAPTIONS = {11: "A puppy and a child sit at the table.", 12: "Two chairs.", 13: "A toilet.", 14: "Two vases."}


def write_halbench(folder: Path, train: tuple[int, ...] = ()) -> Path:
    """Write questions, synonyms and COCO's annotations; `train` names images that lie in train2014."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"image_id": id, "question": "What is here?", "image": base64.b64encode(b"%d" % id).decode()}
        for id in BOXES
    ]
    (folder / "obj_halbench_300_with_image.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "synonyms_refine.txt").write_text(SYNONYMS)
    coco = folder / "coco2014" / "annotations"
    coco.mkdir(parents=True)
    for split, ids in (("val", [id for id in BOXES if id not in train]), ("train", list(train))):
        if split == "train" and not train:
            continue
        instances: dict[str, Any] = {
            "images": [{"id": id} for id in ids],
            "categories": [{"id": id, "name": name} for id, name in CATEGORIES.items()],
            "annotations": [{"image_id": id, "category_id": kind} for id in ids for kind in BOXES[id]],
        }
        captions = {"annotations": [{"image_id": id, "caption": CAPTIONS[id]} for id in ids]}
        (coco / f"instances_{split}2014.json").write_text(json.dumps(instances))
        (coco / f"captions_{split}2014.json").write_text(json.dumps(captions))
    return folder


TEXTS = {
    "11": "Assistant: A man and men with a dog eat hot dogs.",
    "12": "The table has two chairs.",
    "13": "The seat of the toilet, and a wine glass.",
    "14": "Nothing much to see here",
}
ANSWERS = [Answer(id, text) for id, text in TEXTS.items()]


def scored(folder: Path, mode: Mode = "robust", asker: Said | None = None) -> BenchmarkResult:
    return ObjectHalBench(write_halbench(folder), asker=asker, mode=mode).score(ANSWERS)


def values(result: BenchmarkResult) -> dict[str, float]:
    return {measure.name: measure.value for measure in result.measures}


def test_words_are_matched_as_the_authors_meant(tmp_path: Path) -> None:
    # 11: man, men, dog true; hot dog false. 12: table, chairs true. 13: toilet true (its seat is no chair),
    # wine glass false. 14 names nothing.
    result = scored(tmp_path)
    assert values(result) == {
        "response": 33.3333,  # 12 of 11, 12, 13
        "mention": 75.0,  # 6 of 8
        "recall": 71.4286,  # 2 of person, dog, table; 2 of table, chair; the toilet; not the vase
        "words": 7.25,
    }
    assert result.judge == ""
    assert result.details["objects"] == "synonyms, lemma match"
    assert [result.measure(name).n for name in ("response", "mention")] == [3, 8]


def test_words_are_matched_as_the_script_does(tmp_path: Path) -> None:
    # `men` is no form of man for WordNet, and `vases` in the caption none of vase (its box is)
    assert values(scored(tmp_path, "official")) == {
        "response": 33.33,
        "mention": 71.43,  # 5 of 7
        "recall": 71.43,
        "words": 7.25,
    }


REPLIES: dict[str, str | list[str]] = {
    "11": '["man", "puppy", "dining room table", "man"]',
    "12": 'Sure:\n```json\n["table", "chairs"]\n```',
    "13": ["none", "['toilet seat', 'red tie']", "no"],
    "14": ["[]", "()", "[]"],
}


def test_a_judges_lists_are_counted_as_the_authors_meant(tmp_path: Path) -> None:
    # 11: person, dog, table (the phrase's last word) true. 12: both true. 13: the toilet true, the tie false.
    result = scored(tmp_path, asker=Said(REPLIES))
    assert values(result) | {"words": 0} == {
        "response": 66.6667,
        "mention": 85.7143,  # 6 of 7
        "recall": 85.7143,  # 3 + 2 + 1 + 0 of 7
        "words": 0,
    }
    assert result.details["objects"] == "judge"
    assert result.details["requests"] == 1 + 1 + 3 + 3
    assert result.unreadable == 0


def test_the_script_fails_on_replies_without_a_list_and_so_has_no_figures(tmp_path: Path) -> None:
    result = scored(tmp_path, asker=Said(REPLIES))
    assert result.official == ()
    assert "fails" in str(result.details["official"])


def test_a_judges_lists_are_counted_as_the_script_does(tmp_path: Path) -> None:
    listed = {"13": '["toilet", "wine glasses"]', "14": 'I see\n["vases"]'}
    result = scored(tmp_path, "official", Said({**REPLIES, **listed}))
    # "dining room table" is a noun of three words that nobody knows, `vases` becomes `vas`
    assert values(result) | {"words": 0} == {
        "response": 66.67,
        "mention": 83.33,  # 5 of man, puppy; table, chair; toilet, and a wine glass that is not there
        "recall": 71.43,
        "words": 0,
    }
    assert values(result) == {measure.name: measure.value for measure in result.official}


def test_a_description_that_nobody_could_list_is_left_out(tmp_path: Path) -> None:
    said = Said({**REPLIES, "11": ["?"] * 3})
    result = scored(tmp_path, asker=said)
    assert (result.unreadable, result.measure("words").n) == (1, 3)
    assert values(result)["response"] == 50.0


def test_short_answers_name_nothing_and_are_not_asked_about(tmp_path: Path) -> None:
    said = Said({"12": '["table"]', "13": '["toilet"]', "14": '["vase"]'})
    benchmark = ObjectHalBench(write_halbench(tmp_path), asker=said)
    result = benchmark.score([Answer("11", "A dog runs."), *ANSWERS[1:]])
    assert "11" not in said.asked
    assert (result.measure("response").value, result.measure("response").n) == (100.0, 3)


def test_the_judge_sees_question_and_answer(tmp_path: Path) -> None:
    said = Said(REPLIES)
    scored(tmp_path, asker=said)
    ((role, prompt),) = said.asked["12"][0].messages
    assert role == "system"
    assert "What is here?" in prompt
    assert TEXTS["12"] in prompt
    (tmp_path / "eval_gpt_obj_halbench.py").write_text("prompt_template = 'Q {question} A {answer}'")
    again = Said(REPLIES)
    result = ObjectHalBench(tmp_path, asker=again).score(ANSWERS)
    assert again.asked["11"][0].messages == (
        ("system", "Q What is here? A A man and men with a dog eat hot dogs."),
    )
    assert result.details["prompt"] == "eval_gpt_obj_halbench.py"


@pytest.mark.parametrize(
    ("reply", "ours", "theirs"),
    [
        ('```json\n["a"]\n```', ["a"], ["a"]),
        ('["a", "b"]', ["a", "b"], ["a", "b"]),
        ('Objects:\n["a"]', ["a"], ["a"]),
        ('["a"] and that is all', ["a"], None),
        ("['a']", ["a"], None),
        ("[]", [], None),
        ("()", [], None),
        ("```json\n[]\n```", [], []),
        ("- a\n- b", None, None),
        ("[1, 2]", None, None),
        ('```json\n{"a": 1}\n```', None, None),
    ],
)
def test_a_list_is_read_in_both_ways(reply: str, ours: list[str] | None, theirs: list[str] | None) -> None:
    assert read_list(reply) == ours
    assert official_list(reply) == theirs


def test_words_that_belong_together_name_one_thing() -> None:
    objects = CocoObjects(SYNONYMS + "bear\ntrain\n", "robust")
    assert objects.in_text("Baby bears, a passenger train, a bow tie, a hot, dog") == [
        Named("bear", "bear"),
        Named("train", "train"),
        Named("tie", "tie"),
        Named("dog", "dog"),
    ]
    assert objects.in_phrases(["the hot dog", "puppies", "", "brown dogs"]) == [
        Named("hot dog", "hot dog"),
        Named("puppy", "dog"),
        Named("dog", "dog"),
    ]


def test_images_of_train2014_are_looked_up_there(tmp_path: Path) -> None:
    both = ObjectHalBench(write_halbench(tmp_path / "both", (13, 14))).score(ANSWERS)
    assert both.measures == scored(tmp_path / "val").measures


def test_images_come_out_of_the_file_or_the_folder(tmp_path: Path) -> None:
    write_halbench(tmp_path)
    benchmark = ObjectHalBench(tmp_path)
    asked = list(benchmark.questions())
    assert [benchmark.image(question) for question in asked[:2]] == [b"11", b"12"]
    rows = '{"image_id": 11, "question": "?"}\n{"image_id": 12, "question": "?", "image": "%"}\n'
    (tmp_path / "obj_halbench_300_with_image.jsonl").write_text(rows)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "000000000011.jpg").write_bytes(b"eleven")
    benchmark = ObjectHalBench(tmp_path)
    asked = list(benchmark.questions())
    assert benchmark.image(asked[0]) == b"eleven"
    with pytest.raises(DataError, match="has a broken image for 12"):
        benchmark.image(asked[1])


def test_annotations_that_lack_an_image_or_a_kind_are_said(tmp_path: Path) -> None:
    write_halbench(tmp_path)
    (tmp_path / "synonyms_refine.txt").write_text("dog\nperson\n")
    with pytest.raises(DataError, match=r"has category dining table, no synonym"):
        ObjectHalBench(tmp_path)
    (tmp_path / "synonyms_refine.txt").write_text(SYNONYMS)
    with (tmp_path / "obj_halbench_300_with_image.jsonl").open("a") as file:
        file.write('{"image_id": 99, "question": "?"}\n')
    with pytest.raises(DataError, match=r"holds no instances_train2014\.json"):
        ObjectHalBench(tmp_path)
    (tmp_path / "obj_halbench_300_with_image.jsonl").write_text('{"image_id": "x", "question": "?"}')
    with pytest.raises(DataError, match="has image_id x, no number"):
        ObjectHalBench(tmp_path)
