"""A row as a source gives it, before anyone judged it, and the fault that may be found in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class RowFault(Exception):
    """Why a row cannot be used: `kind` is counted, `detail` is shown beside it."""

    def __init__(self, kind: str, detail: str = "") -> None:
        self.kind, self.detail = kind, detail
        super().__init__(f"{kind}: {detail}" if detail else kind)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a source; values are whatever the file holds."""

    number: int
    """Row of the whole source, or line of a JSONL file, counted from 1."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """The file's own fields."""
    fault: RowFault | None = None
    """What made the row unreadable, if it is."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The fields of a preference as one kind of source names them; types are not yet checked."""

    image: Any
    """Encoded bytes, a path (str), a mapping with `bytes` and `path`, or anything else (a fault)."""
    prompt: Any
    chosen: Any
    rejected: Any
    own_id: Any = None
    """The row's own id, which must be unique; None to be named by its number."""
    suffix: str = ""
    """Put behind an id made from the row's number, for people."""
    source: Any = ""


def required(values: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - a file's own value
    """Return the field `name`; RowFault when the row has none."""
    if name not in values:
        raise RowFault("missing field", f"'{name}'")
    return values[name]
