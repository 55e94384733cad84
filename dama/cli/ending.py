"""The two or three lines that a run ends with: before, after, where the report is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from dama.spec.run import RunSpec


def say_ending(out: Console, spec: RunSpec, typed: str) -> None:
    """Print what came out of a finished run, and where its report lies; MissingInput when it has none yet.

    `typed` is the run file as the person typed it.
    """
    from dama.errors import MissingInput, ObjectMissing
    from dama.stages.publish import SUMMARY, report_page
    from dama.storage.layout import run_prefix
    from dama.storage.uri import open_store

    store, run = open_store(spec.storage), run_prefix(spec.name)
    try:
        summary = store.get_bytes(f"{run}/{SUMMARY}")
    except ObjectMissing as error:
        raise MissingInput(f"report of run {spec.name}", "report", f"{store.uri}/{run}", typed) from error
    for line in lines_of(summary):
        out.print(line, markup=False)
    page = report_page(store, spec.name)
    if page is not None:
        out.print(f"report: {page}", markup=False)


def lines_of(summary: bytes) -> list[str]:
    """Return what a summary.json says in a few lines; none when another version of dama wrote it."""
    try:
        from dama.report.summary import headlines

        return headlines(json.loads(summary))
    except (ImportError, ValueError):
        return []
