"""summary.json: what came out of a run, typed, for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from dama.report.concerns import concerns
from dama.report.figures import beta_statistics
from dama.report.view import RunView, number, said, signed

REPORT = "report.html"
_LEADING = 5
"""Measures of one benchmark that a run ends with on the terminal."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Result(_Frozen):
    """One measure of one benchmark."""

    benchmark: str
    measure: str
    unit: str
    better: str
    before: float | None
    after: float | None
    difference: float | None
    answers: int


class Counts(_Frozen):
    """Rows of the dataset."""

    rows: int
    preferences: int
    quarantined: int
    images: int


class Duration(_Frozen):
    """What an artifact took to make."""

    seconds: float | None
    reused: bool
    """Made by another run."""
    maker: str


class HardnessSummary(_Frozen):
    """δ and β_D in a few numbers."""

    delta_mean: float | None
    share_positive: float | None
    length_correlation: float | None
    beta_data: dict[str, float]
    """min, max, mean, std."""


class Summary(_Frozen):
    """A run's results, counts, durations and digests."""

    schema_version: Literal[1] = 1
    run: str
    method: str
    model: str
    data: str
    verdict: str
    results: tuple[Result, ...]
    steps: int
    final: dict[str, float]
    """Last recorded training metrics."""
    counts: Counts
    hardness: HardnessSummary | None
    durations: dict[str, Duration]
    """By stage."""
    artifacts: dict[str, str]
    """Stage -> sha256 of its commit."""
    warnings: tuple[str, ...]
    report: str = REPORT


def summarised(view: RunView) -> Summary:
    """Return the summary of a run."""
    hardness = view.hardness
    return Summary(
        run=view.run,
        method=view.method,
        model=view.model,
        data=view.data,
        verdict=view.verdict(),
        results=tuple(
            Result(
                benchmark=c.benchmark,
                measure=c.measure,
                unit=c.unit,
                better=c.better,
                before=c.before,
                after=c.after,
                difference=c.difference,
                answers=c.n,
            )
            for c in view.changes()
        ),
        steps=view.steps,
        final={
            name: float(values[-1])
            for name, values in sorted(view.curves.items())
            if len(values) and np.isfinite(values[-1])
        },
        counts=Counts(
            rows=view.counts.rows,
            preferences=view.counts.preferences,
            quarantined=view.counts.quarantined,
            images=view.counts.images,
        ),
        hardness=None
        if hardness is None
        else HardnessSummary(
            delta_mean=_finite(hardness.mean_delta),
            share_positive=_finite(hardness.share_positive),
            length_correlation=_finite(hardness.length_correlation),
            beta_data=beta_statistics(view),
        ),
        durations={
            s.stage: Duration(seconds=_finite(s.seconds), reused=s.reused, maker=s.maker) for s in view.stages
        },
        artifacts=dict(view.artifacts),
        warnings=concerns(view),
    )


def to_bytes(summary: Summary) -> bytes:
    """Return the summary as JSON; same summary, same bytes."""
    return (summary.model_dump_json(indent=1) + "\n").encode()


def headlines(raw: Mapping[str, Any]) -> list[str]:
    """Return the lines a run ends with: before, after, warnings; ValueError when `raw` is no summary."""
    summary = Summary.model_validate(raw)
    lines = []
    for side in ("before", "after"):
        known = [(r, getattr(r, side)) for r in _leading(summary.results) if getattr(r, side) is not None]
        said_so = ", ".join(
            f"{said(r.measure)} {number(value)}{r.unit if r.unit == '%' else ' ' + r.unit}".rstrip()
            + (f" ({signed(r.difference)})" if side == "after" and r.difference is not None else "")
            for r, value in known
        )
        lines += [f"{side}: {said_so}"] if known else []
    lines = lines or [summary.verdict]
    return [*(f"{summary.run} {line}" for line in lines), *(f"warning: {text}" for text in summary.warnings)]


def _leading(results: Sequence[Result]) -> list[Result]:
    """Return the first few measures of each benchmark; a page has them all."""
    seen: Counter[str] = Counter()
    leading = []
    for result in results:
        seen[result.benchmark] += 1
        if seen[result.benchmark] <= _LEADING:
            leading.append(result)
    return leading


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
