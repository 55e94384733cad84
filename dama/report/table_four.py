"""The paper's Table 4: five benchmarks beside each other, the paper's rows above ours.

Of the paper's rows this repository has the columns of Object HalBench only; the others stay empty rather
than be filled from memory. The paper's rows are named as the paper's, ours as ours, and what ours differs by
from the paper's row of the same size and method stands in brackets behind the number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dama.records import BenchmarkResult, Measure
from dama.report.table import Cell, Table

NOTE = (
    "The paper’s rows are the paper’s, as it reports them for LLaVA-1.5; this repository has their Object "
    "HalBench columns only, – is not known here. In brackets: ours less the paper’s row of the same size and "
    "method."
)
_NAME = "object-halbench"


@dataclass(frozen=True)
class Column:
    """A column: its head, and the figure in it."""

    head: str
    benchmark: str
    measure: str
    digits: int = 1


COLUMNS = (
    Column("Object HalBench: response % ↑", _NAME, "response"),
    Column("mention % ↑", _NAME, "mention"),
    Column("AMBER: CHAIR % ↓", "amber", "chair"),
    Column("Cover % ↑", "amber", "cover"),
    Column("Hal % ↓", "amber", "hal"),
    Column("Cog % ↓", "amber", "cog"),
    Column("Accuracy % ↑", "amber", "accuracy"),
    Column("F1 % ↑", "amber", "f1"),
    Column("AMBER score ↑", "amber", "amber"),
    Column("MMHal: score of 6 ↑", "mmhal", "score", 2),
    Column("hallucination % ↓", "mmhal", "hall"),
    Column("LLaVA-Bench: conv % ↑", "llava-bench", "conv"),
    Column("detail % ↑", "llava-bench", "detail"),
    Column("complex % ↑", "llava-bench", "complex"),
    Column("all % ↑", "llava-bench", "all"),
    Column("MM-Vet: total % ↑", "mm-vet", "total"),
)


@dataclass(frozen=True)
class PaperRow:
    """A model of the paper: the key people name it by, and its figures by (benchmark, measure)."""

    key: str
    name: str
    figures: Mapping[tuple[str, str], str]


def _row(key: str, name: str, response: str, mention: str) -> PaperRow:
    return PaperRow(key, name, {(_NAME, "response"): response, (_NAME, "mention"): mention})


PAPER = (
    _row("7b", "LLaVA-1.5-7B", "47.75", "73.08"),
    _row("7b-dpo", "+ DPO", "78.29", "89.48"),
    _row("7b-d2po", "+ D2PO", "82.54", "90.64"),
    _row("7b-mdpo", "+ MDPO", "88.00", "93.74"),
    _row("7b-dama", "+ DAMA", "90.87", "95.33"),
    _row("13b", "LLaVA-1.5-13B", "50.0", "76.4"),
    _row("13b-dpo", "+ DPO", "84.5", "92.4"),
    _row("13b-dama", "+ DAMA", "89.1", "94.4"),
)


@dataclass(frozen=True)
class OurRow:
    """A model of ours: its name, its results, and the key of the paper's row it answers to."""

    name: str
    results: Sequence[BenchmarkResult]
    beside: str | None = None


def paper_table() -> Table:
    """Return the paper's results on Object HalBench."""
    cells = tuple(
        (Cell(row.name, "inset" if "+" in row.name else ""), *(Cell(text) for text in row.figures.values()))
        for row in PAPER
    )
    return Table(("the paper’s models", "response ↑", "mention ↑"), cells)


def table_four(ours: Sequence[OurRow], *, scripts: bool = True) -> Table:
    """Return the paper's rows and ours; of the columns those that any row fills.

    With `scripts` a row of ours is followed by one with the figures of the benchmarks' own scripts, where
    these differ.
    """
    measured = {(result.benchmark, m.name) for row in ours for result in row.results for m in result.measures}
    columns = [c for c in COLUMNS if c.benchmark == _NAME or (c.benchmark, c.measure) in measured]
    rows = [
        (
            Cell("the paper", "quiet"),
            Cell(row.name, "quiet"),
            *(Cell(row.figures.get((c.benchmark, c.measure), "–"), "quiet") for c in columns),
        )
        for row in PAPER
    ]
    for row in ours:
        paper = next((p for p in PAPER if p.key == row.beside), None)
        lead = [_text(row.results, c, official=False) for c in columns]
        cells = [
            Cell(text + _difference(row.results, c, paper), "best" if text != "–" else "quiet")
            for text, c in zip(lead, columns, strict=True)
        ]
        rows.append((Cell("ours", "best"), Cell(row.name), *cells))
        script = [_text(row.results, c, official=True) for c in columns]
        if scripts and any(there not in ("–", here) for there, here in zip(script, lead, strict=True)):
            rows.append((Cell("ours"), Cell(f"{row.name}, official script"), *map(Cell, script)))
    return Table(("whose", "model", *(c.head for c in columns)), tuple(rows), words=2)


def on_its_side(ours: Sequence[OurRow]) -> Table:
    """Return the same with a row a figure and without the scripts' figures, narrow enough for a terminal.

    Of the paper's models it has those of the sizes of ours, where ours have one of its sizes.
    """
    sizes = {_size(row.beside) for row in ours if row.beside is not None}
    four = table_four(ours, scripts=False)
    theirs = [
        row for paper, row in zip(PAPER, four.rows, strict=False) if not sizes or _size(paper.key) in sizes
    ]
    shown = [*theirs, *four.rows[len(PAPER) :]]
    heads = [f"{whose.text}: {name.text}" for whose, name, *_ in shown]
    rows = [
        (Cell(head), *(row[number] for row in shown))
        for number, head in enumerate(four.columns)
        if number >= four.words
    ]
    return Table(("figure", *heads), tuple(rows))


def _size(key: str) -> str:
    return key.partition("-")[0]


def paper_key(model: str, method: str | None) -> str | None:
    """Return the key of the paper's row that a model and a method answer to, None when there is none.

    `method` is None for a model before it is aligned.
    """
    size = re.search(r"llava-1\.5-(7|13)b", model.lower())
    if size is None:
        return None
    key = f"{size.group(1)}b" + (f"-{method}" if method is not None else "")
    return key if any(row.key == key for row in PAPER) else None


def _measure(results: Sequence[BenchmarkResult], column: Column, *, official: bool) -> Measure | None:
    for result in results:
        if result.benchmark == column.benchmark:
            measures = result.official if official else result.measures
            return next((m for m in measures if m.name == column.measure), None)
    return None


def _text(results: Sequence[BenchmarkResult], column: Column, *, official: bool) -> str:
    measure = _measure(results, column, official=official)
    return "–" if measure is None else f"{measure.value:.{column.digits}f}"


def _difference(results: Sequence[BenchmarkResult], column: Column, paper: PaperRow | None) -> str:
    measure = _measure(results, column, official=False)
    theirs = paper.figures.get((column.benchmark, column.measure)) if paper is not None else None
    if measure is None or theirs is None:
        return ""
    return f" ({measure.value - float(theirs):+.{column.digits}f})".replace("-", "−")
