"""The two or three lines that a run ends with: before, after, where the report is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.markup import escape

if TYPE_CHECKING:
    from rich.console import Console

    from dama.spec.run import RunSpec


def say_ending(out: Console, spec: RunSpec) -> None:
    """Print what came out of a run, from its summary.json, and where its report lies."""
    from dama.errors import ObjectMissing
    from dama.stages.publish import SUMMARY, report_page
    from dama.storage.layout import run_prefix
    from dama.storage.uri import open_store

    store = open_store(spec.storage)
    try:
        summary: dict[str, Any] = json.loads(store.get_bytes(f"{run_prefix(spec.name)}/{SUMMARY}"))
    except (ObjectMissing, ValueError):
        summary = {}
    for line in headlines(summary):
        out.print(escape(line))
    page = report_page(store, spec.name)
    if page is not None:
        out.print(f"report: [bold]{escape(page)}[/]")


def headlines(summary: dict[str, Any]) -> list[str]:
    """Return the lines that a summary's own module makes of it; none where there is nothing to say."""
    return []
