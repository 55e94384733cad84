"""Answers in the files people have: JSONL, a JSON list of objects, or one JSON object from id to text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dama.errors import DataError
from dama.records import Answer

IDS = ("id", "question_id", "image_id")
TEXTS = ("text", "response", "answer", "model_answer", "output", "prediction", "caption")
"""Keys that hold an answer; which of them stand for something else in a benchmark it says itself."""


def read_answers(path: Path, *, ids: Sequence[str] = IDS, texts: Sequence[str] = TEXTS) -> list[Answer]:
    """Return the answers of a file, in its order.

    `ids` and `texts` are the keys looked for, the first that a row has counts. Raises DataError for a file
    that is empty, not JSON, or has a row without id or text; the row is named.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"answers {path} cannot be read: {error}", do="mend --answers") from error
    answers = []
    for number, row in enumerate(_rows(path, text), start=1):
        if not isinstance(row, dict):
            raise _wrong(path, number, f"is a {type(row).__name__}", ids, texts)
        id_ = next((row[key] for key in ids if row.get(key) not in (None, "")), None)
        said = next((row[key] for key in texts if row.get(key) is not None), None)
        if id_ is None or not isinstance(id_, str | int) or isinstance(id_, bool):
            raise _wrong(path, number, "has no id", ids, texts)
        if not isinstance(said, str):
            raise _wrong(path, number, f"(id {id_}) has no text", ids, texts)
        answers.append(Answer(str(id_), said))
    if not answers:
        raise DataError(f"answers {path}: no answer in it", wanted="one answer a question")
    return answers


def _rows(path: Path, text: str) -> list[Any]:
    """Return the rows of a JSON or JSONL file; an object from id to text gives a row a key."""
    stripped = text.strip()
    if not stripped:
        return []
    try:
        whole = json.loads(stripped, object_pairs_hook=_Pairs)
    except ValueError:
        return _lines(path, text)
    if isinstance(whole, _Pairs):
        if any(key in IDS for key, _ in whole):
            return [dict(whole)]  # JSONL of one line
        return [{"id": key, "text": value} for key, value in whole]
    if isinstance(whole, list):
        return [dict(row) if isinstance(row, _Pairs) else row for row in whole]
    return [whole]


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its keys as they come, so that an id given twice is seen."""


def _lines(path: Path, text: str) -> list[Any]:
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise DataError(
                f"answers {path}, line {number}: not JSON ({error})",
                wanted="JSONL, a JSON list of objects, or one JSON object from id to text",
            ) from error
    return rows


def _wrong(path: Path, number: int, found: str, ids: Sequence[str], texts: Sequence[str]) -> DataError:
    return DataError(
        f"answers {path}: row {number} {found}",
        wanted=f"an id ({', '.join(ids)}) and a text ({', '.join(texts)}) in every row",
    )
