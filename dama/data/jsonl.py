"""JSONL: one object a line with image (a path), prompt, chosen, rejected and, by choice, id and source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from dama.data.row import Draft, Row, RowFault, required
from dama.errors import DataError

LONGEST_LINE = 64 << 20
"""Bytes of a line; a longer one is a fault of that row and is never held whole."""


def read_lines(path: Path, name: str) -> Iterator[Row]:
    """Yield the objects of a JSONL file, numbered by line; blank lines are no rows."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror}", do="mend data.uri") from error
    with file:
        number = 0
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            too_long = len(line) > LONGEST_LINE
            while len(line) > LONGEST_LINE and not line.endswith(b"\n"):
                line = file.readline(LONGEST_LINE + 1) or b"\n"
            if too_long:
                yield Row(number, fault=RowFault("line too long", f"more than {LONGEST_LINE >> 20} MiB"))
            elif line.strip(b" \t\r\n\xef\xbb\xbf"):
                yield _row(line, number)


def _row(line: bytes, number: int) -> Row:
    try:
        values = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        return Row(number, fault=RowFault("not UTF-8", f"byte {error.start} of the line"))
    except json.JSONDecodeError as error:
        return Row(number, fault=RowFault("invalid JSON", f"{error.msg} at character {error.pos}"))
    except (ValueError, RecursionError):
        return Row(number, fault=RowFault("invalid JSON", "nested too deeply, or a number too long"))
    if not isinstance(values, dict):
        return Row(
            number, fault=RowFault("wrong type", f"a {type(values).__name__} where an object is wanted")
        )
    return Row(number, values)


def draft(row: Row) -> Draft:
    """Return the preference of one line; RowFault when a field is absent."""
    values = row.values
    return Draft(
        image=required(values, "image"),
        prompt=required(values, "prompt"),
        chosen=required(values, "chosen"),
        rejected=required(values, "rejected"),
        own_id=values.get("id"),
        source=values.get("source") or "",
    )
