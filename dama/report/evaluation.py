"""Several models on the same benchmarks: every figure side by side, and the paper's Table 4 with ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dama.errors import ToolMissing
from dama.records import BenchmarkResult, Measure
from dama.report.score_page import MARKDOWN, PAGE, RESULT, remarks
from dama.report.table import Cell, Table, escaped
from dama.report.table_four import NOTE, OurRow, table_four


def figures_table(rows: Sequence[OurRow]) -> Table:
    """Return every figure of every benchmark, a column a model, with 95 % intervals.

    Below a figure stands what the benchmark's own script makes of the same answers, where that is another
    number.
    """
    results = {row.name: {result.benchmark: result for result in row.results} for row in rows}
    keys = dict.fromkeys(
        (result.benchmark, measure.name)
        for row in rows
        for result in row.results
        for measure in result.measures
    )
    lines: list[tuple[Cell, ...]] = []
    for benchmark, name in keys:
        of = [results[row.name].get(benchmark) for row in rows]
        found = [_measure(result, name, official=False) for result in of]
        known = next(measure for measure in found if measure is not None)
        lines.append((Cell(benchmark), Cell(_head(known)), *(Cell(_text(measure)) for measure in found)))
        script = [_measure(result, name, official=True) for result in of]
        if any(s is not None and _number(s) != _number(f) for s, f in zip(script, found, strict=True)):
            quiet = [Cell(_number(measure), "quiet") for measure in script]
            lines.append((Cell("", "quiet"), Cell("· official script", "quiet"), *quiet))
    return Table(("benchmark", "measure", *(row.name for row in rows)), tuple(lines), words=2)


def notes(rows: Sequence[OurRow]) -> list[str]:
    """Return what a reader must know of the figures, a sentence for each model and benchmark."""
    return [f"{row.name}: {'; '.join(remarks(result))}" for row in rows for result in row.results]


def is_published(rows: Sequence[OurRow]) -> bool:
    """Say whether any figure has a place in the paper's table."""
    return any(result.benchmark != "miniature" for row in rows for result in row.results)


def as_json(run: str, rows: Sequence[OurRow]) -> dict[str, Any]:
    """Return all results as JSON."""
    models = [
        {"name": row.name, "beside": row.beside, "results": [asdict(one) for one in row.results]}
        for row in rows
    ]
    return {"run": run, "models": models}


def write_evaluation(run: str, rows: Sequence[OurRow], out: Path) -> None:
    """Write result.json, table.md and table.html into `out`; the page needs jinja2 and matplotlib."""
    try:
        from dama.report.page import environment
    except ImportError as error:
        raise ToolMissing(
            f"the page of results needs {error.name}", do="pip install 'dama[report]'"
        ) from error
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(as_json(run, rows), indent=1, sort_keys=True, ensure_ascii=False)
    (out / RESULT).write_text(text + "\n", encoding="utf-8")
    figures, said = figures_table(rows), notes(rows)
    beside = table_four(rows) if is_published(rows) else None
    lines = [f"# {escaped(run)}\n", figures.markdown(), *(f"- {escaped(line)}." for line in said), ""]
    if beside is not None:
        lines += ["## Beside the paper\n", beside.markdown(), f"{escaped(NOTE)}\n"]
    (out / MARKDOWN).write_text("\n".join(lines), encoding="utf-8")
    page = environment().get_template("evaluation.html.j2")
    values = {"run": run, "rows": rows, "figures": figures, "beside": beside, "said": said, "note": NOTE}
    (out / PAGE).write_text(page.render(values), encoding="utf-8", newline="\n")


def _measure(result: BenchmarkResult | None, name: str, *, official: bool) -> Measure | None:
    if result is None:
        return None
    measures = result.official if official else result.measures
    return next((measure for measure in measures if measure.name == name), None)


def _head(measure: Measure) -> str:
    arrow = {"higher": " ↑", "lower": " ↓"}.get(measure.better, "")
    return measure.name.replace("_", " ") + (f" ({measure.unit})" if measure.unit else "") + arrow


def _text(measure: Measure | None) -> str:
    if measure is None or measure.low is None or measure.high is None:
        return _number(measure)
    return f"{_number(measure)} ({_said(measure.low)} to {_said(measure.high)})"


def _number(measure: Measure | None) -> str:
    return "–" if measure is None else _said(measure.value)


def _said(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
