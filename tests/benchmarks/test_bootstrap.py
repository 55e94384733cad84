"""Intervals by drawing answers again: against the textbook's, seeded, stratum by stratum."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dama.benchmarks.bootstrap import intervals
from dama.benchmarks.tally import Shown, Tally


def share(counts: Mapping[bool, int]) -> dict[str, float]:
    return {"share": 100 * counts.get(True, 0) / sum(counts.values())}


def test_a_shares_interval_is_the_textbooks() -> None:
    low, high = intervals([[True] * 300 + [False] * 100], share)["share"]
    spread = 1.96 * 100 * (0.75 * 0.25 / 400) ** 0.5  # 4.24 points
    assert low == pytest.approx(75 - spread, abs=0.8)
    assert high == pytest.approx(75 + spread, abs=0.8)


def test_equal_answers_have_equal_intervals() -> None:
    outcomes = [True, False, True, True]
    assert intervals([outcomes], share) == intervals([outcomes], share)


def test_a_certain_figure_has_no_spread() -> None:
    assert intervals([[True] * 5], share)["share"] == (100.0, 100.0)


def test_strata_are_drawn_apart() -> None:
    def sizes(counts: Mapping[str, int]) -> dict[str, float]:
        return {"a": counts.get("a", 0) + counts.get("b", 0), "c": counts.get("c", 0)}

    assert intervals([["a", "b"], ["c"] * 3, []], sizes, resamples=50) == {"a": (2, 2), "c": (3, 3)}


def test_a_figure_that_is_seldom_defined_has_no_interval() -> None:
    def rare(counts: Mapping[int, int]) -> dict[str, float]:
        return {"always": 1.0, **({"rare": 1.0} if counts.get(0, 0) > 1 else {})}

    assert intervals([list(range(20))], rare, resamples=100).keys() == {"always"}


def test_measures_come_in_the_order_shown_and_only_if_defined() -> None:
    tally = Tally(([True, False],), share)
    shown = {"none": Shown(), "share": Shown(better="lower", digits=1)}
    (measure,) = tally.measures(shown, {"share": 2}, resamples=20)
    assert (measure.name, measure.value, measure.better, measure.n) == ("share", 50.0, "lower", 2)
    assert (measure.low, measure.high) == (0.0, 100.0)
    (bare,) = tally.measures(shown, {}, resamples=0)
    assert (bare.low, bare.high, bare.n) == (None, None, 0)
