"""Answers in the files people have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dama.benchmarks.reading import read_answers
from dama.errors import DataError
from dama.records import Answer

TWO = [Answer("1", "a cat"), Answer("2", "")]


@pytest.mark.parametrize(
    "text",
    [
        '{"id": 1, "text": "a cat"}\n\n{"id": "2", "text": ""}\n',
        '[{"id": 1, "response": "a cat"}, {"id": 2, "response": ""}]',
        '{"1": "a cat", "2": ""}',
        '{"question_id": 1, "answer": "a cat"}\n{"question_id": 2, "answer": ""}',
        '[\n {"image_id": 1, "model_answer": "a cat"},\n {"image_id": 2, "model_answer": ""}\n]',
        '\ufeff[{"id": 1, "text": "a cat", "image_id": 9}, {"id": 2, "text": "", "answer": "x"}]',
    ],
)
def test_every_form_reads_the_same(tmp_path: Path, text: str) -> None:
    file = tmp_path / "answers"
    file.write_text(text, encoding="utf-8")
    assert read_answers(file) == TWO


def test_one_line_is_jsonl_too(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text('{"id": 1, "text": "a cat"}\n')
    assert read_answers(file) == TWO[:1]


def test_an_id_written_twice_in_an_object_is_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    file.write_text('{"1": "a", "1": "b"}')
    assert read_answers(file) == [Answer("1", "a"), Answer("1", "b")]


def test_keys_can_be_chosen(tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    file.write_text(json.dumps([{"image_id": 7, "id": 1, "caption": "x", "text": "y"}]))
    assert read_answers(file, ids=("image_id",), texts=("caption",)) == [Answer("7", "x")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no answer in it"),
        ("[]", "no answer in it"),
        ('{"id": 1}\n', r"row 1 \(id 1\) has no text"),
        ('[{"text": "a"}]', "row 1 has no id"),
        ('[{"id": true, "text": "a"}]', "row 1 has no id"),
        ('[{"id": 1, "text": 3}]', r"row 1 \(id 1\) has no text"),
        ('["a"]', "row 1 is a str"),
        ("3", "row 1 is a int"),
        ('{"id": 1, "text": "a"}\nnope\n', "line 2: not JSON"),
    ],
)
def test_what_is_no_answers_file_is_said(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "answers"
    file.write_text(text)
    with pytest.raises(DataError, match=says):
        read_answers(file)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_answers(tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        read_answers(tmp_path / "bytes")
