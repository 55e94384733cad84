"""The miniature benchmark, on four scenes worked by hand."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dama.benchmarks.mentions import Mention
from dama.benchmarks.miniature import Miniature
from dama.errors import DataError
from dama.records import Answer, Question

RING = Mention("top", "left", "big", "black", "ring")
STAR = Mention("middle", "right", "small", "red", "star")
CROSS = Mention("bottom", "centre", "small", "blue", "cross")
SQUARE = Mention("top", "right", "small", "green", "square")


def scenes_file(folder: Path, *, without: str = "") -> Path:
    truths = ([RING, STAR], [STAR], [CROSS, RING, SQUARE], [SQUARE])
    companions: tuple[list[list[str]], ...] = ([["blue", "cross"]], [], [], [["red", "ring"]])
    rows = [
        {
            "id": f"s{i}",
            "image": f"png {i}".encode(),
            "prompt": "Describe the image.",
            "truth": json.dumps([asdict(mention) for mention in truth]),
            "companions": json.dumps(absent),
        }
        for i, (truth, absent) in enumerate(zip(truths, companions, strict=True))
    ]
    file = folder / "benchmark.parquet"
    pq.write_table(pa.Table.from_pylist(rows).drop_columns([without] if without else []), file)
    return file


ANSWERS = [
    # true, and an absent companion beside it
    Answer("s0", f"{RING.sentence()} {CROSS.sentence()}"),
    # all there is
    Answer("s1", STAR.sentence()),
    # two of three things, one of them in the wrong cell
    Answer("s2", f"{RING.sentence()} A small green square at the middle left."),
    # nothing at all, then a sentence cut off
    Answer("s3", "A small"),
]


def test_measures_are_those_worked_by_hand(tmp_path: Path) -> None:
    result = Miniature(scenes_file(tmp_path), 4).score(ANSWERS)
    values = {measure.name: (measure.value, measure.n) for measure in result.measures}
    assert values == {
        "response": (50.0, 4),  # s1, s2
        "mention": (66.6667, 6),  # 4 of 2 + 1 + 2 + 1
        "coverage": (57.1429, 7),  # 1 + 1 + 2 + 0 of 2 + 1 + 3 + 1
        "placement": (25.0, 4),  # s1
        "mentions": (1.5, 4),
    }
    assert result.details == {"hallucinated": 2, "absent_companions": 1, "repeated": 0, "malformed": 1}


def test_the_order_of_answers_does_not_matter(tmp_path: Path) -> None:
    benchmark = Miniature(scenes_file(tmp_path), 4)
    assert benchmark.score(ANSWERS[::-1]) == benchmark.score(ANSWERS)


def test_other_answers_have_another_digest(tmp_path: Path) -> None:
    benchmark = Miniature(scenes_file(tmp_path), 4)
    other = [*ANSWERS[:3], Answer("s3", "A big")]
    assert benchmark.score(other).answers_digest != benchmark.score(ANSWERS).answers_digest


def test_silence_does_not_win(tmp_path: Path) -> None:
    result = Miniature(scenes_file(tmp_path), 4).score([Answer(f"s{i}", "") for i in range(4)])
    assert result.measure("response").value == 100.0
    assert result.measure("mention").value == result.measure("coverage").value == 0.0


def test_questions_come_in_the_files_order_with_their_pictures(tmp_path: Path) -> None:
    benchmark = Miniature(scenes_file(tmp_path), 3)
    questions = list(benchmark.questions())
    assert questions == [Question(f"s{i}", f"s{i}", "Describe the image.") for i in range(3)]
    assert benchmark.image(questions[2]) == b"png 2"


def test_fewer_scenes_are_other_data(tmp_path: Path) -> None:
    file = scenes_file(tmp_path)
    assert Miniature(file, 3).data_digest != Miniature(file, 4).data_digest
    assert Miniature(file, 4).data_digest == Miniature(file, 4).data_digest


def test_missing_repeated_and_unknown_answers_are_named(tmp_path: Path) -> None:
    benchmark = Miniature(scenes_file(tmp_path), 4)
    answers = [ANSWERS[0], ANSWERS[1], ANSWERS[1], Answer("s9", "")]
    with pytest.raises(DataError) as caught:
        benchmark.score(answers)
    assert "lack an answer: 2 (s2, s3)" in str(caught.value)
    assert "are answered twice: 1 (s1)" in str(caught.value)
    assert "were never asked: 1 (s9)" in str(caught.value)


def test_a_long_list_of_missing_answers_is_cut(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"lack an answer: 4 \(s0, s1, s2, …\)"):
        Miniature(scenes_file(tmp_path), 4).score([])


def test_too_few_scenes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds 4 scenes; wanted 5; to mend: raise world\.held_out"):
        Miniature(scenes_file(tmp_path), 5)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no column truth"):
        Miniature(scenes_file(tmp_path, without="truth"), 4)


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "benchmark.parquet"
    file.write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"benchmark\.parquet cannot be read"):
        Miniature(file, 1)
