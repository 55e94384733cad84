"""One benchmark's result as tables: for the terminal, as Markdown and as a page."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from dama.errors import ToolMissing
from dama.records import BenchmarkResult, Measure
from dama.report.table import Cell, Table, escaped
from dama.report.table_four import NOTE, OurRow, table_four

RESULT, MARKDOWN, PAGE = "result.json", "table.md", "table.html"


def score_table(result: BenchmarkResult) -> Table:
    """Return every figure with its interval, and what the official script makes of it."""
    official = {measure.name: measure for measure in result.official}
    rows = []
    for measure in result.measures:
        arrow = {"higher": " ↑", "lower": " ↓"}.get(measure.better, "")
        unit = f" ({measure.unit})" if measure.unit else ""
        script = official.get(measure.name)
        row = [
            Cell(measure.name.replace("_", " ") + unit + arrow),
            Cell(_number(measure.value)),
            Cell(_interval(measure), "quiet"),
            Cell(f"{measure.n:,}", "quiet"),
        ]
        if result.official:
            row.insert(3, Cell("–" if script is None else _number(script.value), "quiet"))
        rows.append(tuple(row))
    columns = ["measure", result.mode or "value", "95 %", "n"]
    if result.official:
        columns.insert(3, "official script")
    return Table(tuple(columns), tuple(rows))


def remarks(result: BenchmarkResult) -> list[str]:
    """Return what a reader must know of the figures, a sentence each."""
    said = [f"{result.benchmark}, version {result.version}, {result.n:,} questions"]
    if result.judge:
        asked = f"{result.details.get('requests', 0)} requests"
        spent = f", cost {result.details['cost']:.4g}" if "cost" in result.details else ""
        said.append(f"judged by {result.judge} ({asked}{spent})")
    for key in ("nouns", "objects", "prompt"):
        if key in result.details:
            said.append(f"{key}: {result.details[key]}")
    if result.missing:
        said.append(f"{result.missing:,} questions are missing and count in no figure")
    if result.unreadable:
        said.append(f"{result.unreadable:,} could not be read")
    return said


def write_score(result: BenchmarkResult, row: OurRow, out: Path) -> None:
    """Write result.json, table.md and table.html into `out`; the page needs jinja2 and matplotlib."""
    try:
        from dama.report.page import environment
    except ImportError as error:
        raise ToolMissing(
            f"the page of a result needs {error.name}", do="pip install 'dama[report]', or leave out --out"
        ) from error
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(result), indent=1, sort_keys=True, ensure_ascii=False)
    (out / RESULT).write_text(text + "\n", encoding="utf-8")
    figures, beside, said = score_table(result), table_four([row]), remarks(result)
    lines = [
        f"# {escaped(row.name)}: {escaped(result.benchmark)}\n",
        f"{escaped('; '.join(said))}.\n",
        figures.markdown(),
        "## Beside the paper\n",
        beside.markdown(),
        f"{escaped(NOTE)}\n",
    ]
    (out / MARKDOWN).write_text("\n".join(lines), encoding="utf-8")
    page = environment().get_template("score.html.j2")
    values = {"result": result, "row": row, "figures": figures, "beside": beside, "said": said, "note": NOTE}
    (out / PAGE).write_text(page.render(values), encoding="utf-8", newline="\n")


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _interval(measure: Measure) -> str:
    if measure.low is None or measure.high is None:
        return "–"
    return f"{_number(measure.low)} to {_number(measure.high)}"
