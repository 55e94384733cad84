"""A benchmark's result out of JSON, as this and earlier versions of dama write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dama.records import BenchmarkResult, Measure


def result_from(raw: Mapping[str, Any]) -> BenchmarkResult:
    """Return a benchmark's result from a commit's meta."""
    return BenchmarkResult(
        benchmark=str(raw["benchmark"]),
        version=str(raw.get("version", "")),
        measures=tuple(_measure_from(m) for m in raw["measures"]),
        answers_digest=str(raw.get("answers_digest", "")),
        data_digest=str(raw.get("data_digest", "")),
        details=dict(raw.get("details") or {}),
        mode=str(raw.get("mode", "")),
        official=tuple(_measure_from(m) for m in raw.get("official") or ()),
        n=int(raw.get("n", 0)),
        missing=int(raw.get("missing", 0)),
        unreadable=int(raw.get("unreadable", 0)),
        judge=str(raw.get("judge", "")),
    )


def _measure_from(raw: Mapping[str, Any]) -> Measure:
    low, high = raw.get("low"), raw.get("high")
    return Measure(
        str(raw["name"]),
        float("nan") if raw["value"] is None else float(raw["value"]),
        str(raw.get("unit", "%")),
        str(raw.get("better", "higher")),
        int(raw.get("n", 0)),
        None if low is None else float(low),
        None if high is None else float(high),
    )
