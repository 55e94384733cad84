"""A table: columns, rows of cells, written as Markdown or put on a page."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARKDOWN = re.compile(r"([\\`*_\[\]#|<>&~])")


@dataclass(frozen=True)
class Cell:
    """Text, and what a page may make of it: a tone ("good", "bad", "quiet"), a bar of this share."""

    text: str
    tone: str = ""
    bar: float | None = None


@dataclass(frozen=True)
class Table:
    """Columns by name, rows of cells; the first column holds words, the others numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    words: int = 1
    """How many leading columns are text."""

    def markdown(self) -> str:
        """Return the table as GitHub's Markdown; what could be read as markup is escaped."""
        lines = [self.columns, ["---" if i < self.words else "---:" for i in range(len(self.columns))]]
        lines += [[escaped(cell.text) for cell in row] for row in self.rows]
        head, rule, *body = lines
        return "".join(f"| {' | '.join(line)} |\n" for line in ([escaped(c) for c in head], rule, *body))


def escaped(text: str) -> str:
    """Return `text` on one line, with everything escaped that Markdown or HTML would read as markup."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
