"""Tables, made once and written twice: as Markdown, and as rows for the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dama.report.figures import PAPER_BETA, beta_statistics
from dama.report.view import Change, RunView, StageTime, number, said, signed

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


def results_table(view: RunView) -> Table:
    """Return every measure before, after, and the difference; benchmarks by name where there are several."""
    changes, rows = view.changes(), []
    several = len({change.benchmark for change in changes}) > 1
    for change in changes:
        tone = {True: "good", False: "bad", None: ""}[change.improved]
        row = (
            Cell(named(change)),
            Cell(number(change.before)),
            Cell(number(change.after)),
            Cell(signed(change.difference), tone),
            Cell(f"{change.n:,}" if change.n else "–", "quiet"),
        )
        rows.append((Cell(change.benchmark), *row) if several else row)
    columns = ("measure", "before", "after", "difference", "n")
    return Table(("benchmark", *columns) if several else columns, tuple(rows), words=1 + several)


def named(change: Change) -> str:
    """Return a measure's name with its unit and which way is better."""
    arrow = {"higher": "↑", "lower": "↓"}.get(change.better, "")
    unit = f" ({change.unit})" if change.unit else ""
    return f"{said(change.measure)}{unit} {arrow}".strip()


def beta_table(view: RunView) -> Table:
    """Return β_D's statistics, ours above the paper's."""
    ours = beta_statistics(view)
    names = ("min", "max", "mean", "std")
    return Table(
        ("β_D", *names),
        (
            (Cell("this run"), *(Cell(number(ours.get(name), 4)) for name in names)),
            (
                Cell("the paper’s (RLAIF-V)", "quiet"),
                *(Cell(number(PAPER_BETA[name], 4), "quiet") for name in names),
            ),
        ),
    )


def time_table(view: RunView) -> Table:
    """Return what every stage took, with a bar, and whose work was reused."""
    longest = max((s.seconds for s in view.stages if s.seconds == s.seconds), default=0.0)
    rows = []
    for stage in view.stages:
        known = stage.seconds == stage.seconds
        who = (
            f"reused, made by {stage.maker}"
            if stage.reused and stage.maker
            else "reused"
            if stage.reused
            else "made here"
        )
        notes = " · ".join(f"{key.replace('_', ' ')} {value}" for key, value in stage.notes.items())
        rows.append(
            (
                Cell(stage.stage),
                Cell(who, "quiet" if stage.reused else ""),
                Cell(notes, "quiet"),
                Cell(
                    duration(stage.seconds),
                    "quiet" if stage.reused else "",
                    stage.seconds / longest if known and longest else None,
                ),
            )
        )
    return Table(("stage", "artifact", "noted", "time"), tuple(rows), words=3)


def duration(seconds: float) -> str:
    """Return seconds as a person says them: 4.2 s, 3 min 07 s, 7 h 02 min."""
    if seconds != seconds:
        return "–"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def total_seconds(stages: Sequence[StageTime], *, reused: bool) -> float:
    """Return what the stages took together; with `reused`, also those that other runs made."""
    return sum(s.seconds for s in stages if s.seconds == s.seconds and (reused or not s.reused))


def data_table(view: RunView) -> Table:
    """Return what became of the dataset's rows."""
    counts = view.counts
    rows = [("rows read", counts.rows), ("preferences", counts.preferences), ("images", counts.images)]
    cells = [(Cell(name), Cell(f"{count:,}")) for name, count in [*rows, ("quarantined", counts.quarantined)]]
    cells += [
        (Cell(f"· {reason}", "quiet"), Cell(f"{count:,}", "quiet"))
        for reason, count in counts.reasons.items()
    ]
    if counts.over_long:
        cells.append((Cell("too long, not trained on"), Cell(f"{counts.over_long:,}")))
    return Table(("", "count"), tuple(cells))


def paper_table() -> Table:
    """Return the paper's results on Object HalBench."""
    rows = (
        ("LLaVA-1.5-7B", "47.75", "73.08"),
        ("+ DPO", "78.29", "89.48"),
        ("+ D2PO", "82.54", "90.64"),
        ("+ MDPO", "88.00", "93.74"),
        ("+ DAMA", "90.87", "95.33"),
        ("LLaVA-1.5-13B", "50.0", "76.4"),
        ("+ DPO", "84.5", "92.4"),
        ("+ DAMA", "89.1", "94.4"),
    )
    cells = tuple((Cell(name, "inset" if "+" in name else ""), Cell(a), Cell(b)) for name, a, b in rows)
    return Table(("the paper’s models", "response ↑", "mention ↑"), cells)


def comparison_table(views: Sequence[RunView]) -> Table:
    """Return runs × measures, what they started from first; the best of each column is marked."""
    changes = [change for view in views for change in view.changes()]
    keys = list(dict.fromkeys((c.benchmark, c.measure) for c in changes))
    named_by = {(c.benchmark, c.measure): c for c in reversed(changes)}
    several = len({benchmark for benchmark, _ in keys}) > 1
    columns = tuple(f"{key[0]}: {named(named_by[key])}" if several else named(named_by[key]) for key in keys)
    rows, starts = [], dict[tuple[float | None, ...], list[str]]()
    after = [_values(view, keys, "after") for view in views]
    for view in views:
        starts.setdefault(_values(view, keys, "before"), []).append(view.run)
    for values, runs in starts.items():
        if any(value is not None for value in values):
            label = "before" if len(starts) == 1 else f"before ({', '.join(runs)})"
            rows.append(
                (Cell(label, "quiet"), Cell("–", "quiet"), *(Cell(number(v), "quiet") for v in values))
            )
    for view, values in zip(views, after, strict=True):
        cells = []
        for index, key in enumerate(keys):
            others = [row[index] for row in after if row[index] is not None]
            cells.append(
                Cell(
                    number(values[index]),
                    "best" if _is_best(values[index], others, named_by[key].better) else "",
                )
            )
        rows.append((Cell(view.run), Cell(view.method), *cells))
    return Table(("run", "method", *columns), tuple(rows), words=2)


def _values(view: RunView, keys: list[tuple[str, str]], side: str) -> tuple[float | None, ...]:
    found = {(c.benchmark, c.measure): c for c in view.changes()}
    return tuple(getattr(found[key], side) if key in found else None for key in keys)


def _is_best(value: float | None, others: list[float | None], better: str) -> bool:
    known = [other for other in others if other is not None]
    if value is None or len(known) < 2 or better not in ("higher", "lower"):
        return False
    return value == (max(known) if better == "higher" else min(known))


def comparison_times(views: Sequence[RunView]) -> Table:
    """Return what every stage took in every run; what was reused is quiet."""
    names = list(dict.fromkeys(s.stage for view in views for s in view.stages))
    rows = []
    for name in names:
        found = [next((s for s in view.stages if s.stage == name), None) for view in views]
        rows.append(
            (
                Cell(name),
                *(
                    Cell("–", "quiet")
                    if s is None
                    else Cell(
                        duration(s.seconds) + (" (reused)" if s.reused else ""), "quiet" if s.reused else ""
                    )
                    for s in found
                ),
            )
        )
    rows.append(
        (
            Cell("made by the run itself"),
            *(Cell(duration(total_seconds(v.stages, reused=False))) for v in views),
        )
    )
    return Table(("stage", *(view.run for view in views)), tuple(rows))
