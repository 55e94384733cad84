"""Tables, made once and written twice: as Markdown, and as rows for the page."""

from __future__ import annotations

from collections.abc import Sequence

from dama.report.figures import PAPER_BETA, beta_statistics
from dama.report.flags import flag_table
from dama.report.table import Cell, Table
from dama.report.view import Change, RunView, StageTime, number, said, signed


def results_table(view: RunView) -> Table:
    """Return every measure before, after, and the difference; benchmarks by name where there are several.

    Below a measure stands what the benchmark's own script makes of the same answers, where that is another
    number.
    """
    changes = view.changes()
    rows: list[tuple[Cell, ...]] = []
    official = {(change.benchmark, change.measure): change for change in view.changes(official=True)}
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
        script = official.get((change.benchmark, change.measure))
        if script is not None and _shown(script) != _shown(change):
            quiet = [Cell(text, "quiet") for text in ("· official script", *_shown(script), "")]
            rows.append((Cell("", "quiet"), *quiet) if several else tuple(quiet))
    columns = ("measure", "before", "after", "difference", "n")
    return Table(("benchmark", *columns) if several else columns, tuple(rows), words=1 + several)


def _shown(change: Change) -> tuple[str, str, str]:
    return number(change.before), number(change.after), signed(change.difference)


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


def flags_of(view: RunView) -> Table:
    """Return the flags of the run's preferences with what they mean; no rows where there are none."""
    hardness = view.hardness
    return flag_table({}, 0) if hardness is None else flag_table(hardness.flags, len(hardness.ids))


def comparison_table(views: Sequence[RunView]) -> Table:
    """Return measures × runs, what they started from first; the best of each row is marked.

    Runs are few and measures may be many, so that a row a measure is what fits a page.
    """
    changes = [change for view in views for change in view.changes()]
    keys = list(dict.fromkeys((c.benchmark, c.measure) for c in changes))
    named_by = {(c.benchmark, c.measure): c for c in reversed(changes)}
    several = len({benchmark for benchmark, _ in keys}) > 1
    starts = dict[tuple[float | None, ...], list[str]]()
    for view in views:
        starts.setdefault(_values(view, keys, "before"), []).append(view.run)
    known = {v: runs for v, runs in starts.items() if any(value is not None for value in v)}
    after, rows, last = [_values(view, keys, "after") for view in views], [], ""
    for index, key in enumerate(keys):
        words = [Cell(named(named_by[key]))]
        if several:
            words.insert(0, Cell(key[0] if key[0] != last else ""))
        last = key[0]
        others = [values[index] for values in after if values[index] is not None]
        better = named_by[key].better
        cells = [
            Cell(number(value), "best" if _is_best(value, others, better) else "")
            for value in (values[index] for values in after)
        ]
        rows.append((*words, *(Cell(number(v[index]), "quiet") for v in known), *cells))
    before = ["before" if len(starts) == 1 else f"before ({', '.join(runs)})" for runs in known.values()]
    names = [view.run if view.method in view.run else f"{view.run} ({view.method})" for view in views]
    first = ("benchmark", "measure") if several else ("measure",)
    return Table((*first, *before, *names), tuple(rows), words=1 + several)


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
