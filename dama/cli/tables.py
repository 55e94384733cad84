"""A table of the report's kind, on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from dama.report.table import Table


def show_table(out: Console, table: Table) -> None:
    """Print `table`: words to the left, numbers to the right, no lines."""
    from rich.table import Table as Shown

    shown = Shown(box=None, pad_edge=False)
    for number, column in enumerate(table.columns):
        shown.add_column(column, justify="left" if number < table.words else "right", overflow="fold")
    for row in table.rows:
        shown.add_row(*(cell.text for cell in row))
    out.print(shown)
