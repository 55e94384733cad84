"""The benchmarks as they are published: sizes, and that AMBER is scored fast enough.

DAMA_BENCHMARK_DATA names a folder with amber/, mmhal/, llava_bench/ and objhal/.
"""

from __future__ import annotations

import json
import os
import random
import resource
from pathlib import Path

import pytest
from said import Said

from dama.benchmarks.amber import Amber, Part
from dama.benchmarks.coco_objects import CocoObjects
from dama.benchmarks.llava_bench import LlavaBench
from dama.benchmarks.mmhal import MMHal
from dama.records import Answer

pytestmark = pytest.mark.skipif(
    "DAMA_BENCHMARK_DATA" not in os.environ, reason="DAMA_BENCHMARK_DATA names no folder of benchmarks"
)
TEXT = "the a dog man tree sky can be seen with two boats and people near water on table . large red"
WORDS = TEXT.split()


def folder(name: str) -> Path:
    return Path(os.environ["DAMA_BENCHMARK_DATA"]) / name


def test_amber_is_scored_within_its_time() -> None:
    amber, rng = Amber(folder("amber")), random.Random(0)
    questions = list(amber.questions())
    assert len(questions) == 1004 + 14216
    answers = [
        Answer(question.id, " ".join(rng.choices(WORDS, k=110)) if int(question.id) <= 1004 else "No")
        for question in questions
    ]
    before = resource.getrusage(resource.RUSAGE_SELF)
    result = amber.score(answers)
    after = resource.getrusage(resource.RUSAGE_SELF)
    # processor time, so that a busy machine does not count
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime <= 20
    assert result.measure("accuracy").value == pytest.approx(100 * 9427 / 14216, abs=1e-3)
    assert result.measure("recall").value == 100.0
    assert [measure.n for measure in result.measures[:2]] == [15220, 1004]


@pytest.mark.parametrize(
    ("part", "questions"), [("existence", 4924), ("attribute", 7628), ("relation", 1664)]
)
def test_ambers_parts_have_their_sizes(part: Part, questions: int) -> None:
    amber = Amber(folder("amber"), part=part)
    assert sum(1 for _ in amber.questions()) == questions


def test_truthful_captions_hallucinate_nothing() -> None:
    amber = Amber(folder("amber"), part="generative")
    rows = json.loads((folder("amber") / "annotations.json").read_text())
    known = {str(row["id"]): row["truth"] for row in rows if row["type"] == "generative"}
    answers = [Answer(id, "There is a " + ", a ".join(truth) + ".") for id, truth in known.items()]
    result = amber.score(answers)
    assert result.measure("chair").value == 0.0
    assert result.measure("hal").value == 0.0
    assert result.measure("cover").value > 98


def test_mmhal_has_its_questions() -> None:
    benchmark = MMHal(folder("mmhal"), asker=Said({}))
    questions = list(benchmark.questions())
    assert len(questions) == 96
    said = Said({question.id: "Rating: 6" for question in questions})
    result = MMHal(folder("mmhal"), asker=said).score([Answer(q.id, "a") for q in questions])
    assert [measure.n for measure in result.measures] == [96, 96, *[12] * 8]
    assert [m.value for m in result.measures] == [m.value for m in result.official]


def test_llava_bench_has_its_questions() -> None:
    benchmark = LlavaBench(folder("llava_bench"))
    questions = list(benchmark.questions())
    said = Said({question.id: "10 5" for question in questions})
    result = LlavaBench(folder("llava_bench"), asker=said).score([Answer(q.id, "a") for q in questions])
    assert [(m.name, m.value, m.n) for m in result.measures] == [
        ("all", 50.0, 90),
        ("conv", 50.0, 30),
        ("detail", 50.0, 30),
        ("complex", 50.0, 30),
    ]


def test_the_synonyms_name_cocos_kinds() -> None:
    objects = CocoObjects((folder("objhal") / "synonyms_refine.txt").read_text(), "robust")
    named = objects.in_text("A woman, two puppies and a hot dog near a traffic light and wine glasses.")
    assert [one.kind for one in named] == ["person", "dog", "hot dog", "traffic light", "wine glass"]
