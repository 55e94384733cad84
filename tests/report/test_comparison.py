"""Runs beside each other: one page, pictures laid over each other, one table."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic_run import make_run
from whole_page import check_page

from dama.errors import DamaError
from dama.report.page import compare
from dama.report.view import RunView


def test_comparison_is_whole_and_lays_runs_over_each_other(tmp_path: Path) -> None:
    views = [make_run(tmp_path / name, name, steps=40) for name in ("dpo", "dama")]
    compare(views, tmp_path / "out")
    text = "".join(check_page(tmp_path / "out" / "compare.html").text)
    assert "Comparison of 2 runs" in text
    names = sorted(p.name for p in (tmp_path / "out" / "figures").iterdir())
    assert names == [
        "accuracy.png",
        "gaps-dama.png",
        "gaps-dpo.png",
        "loss.png",
        "margin.png",
        "reward_chosen.png",
    ]
    table = (tmp_path / "out" / "compare.md").read_text(encoding="utf-8")
    assert "| response-level non-hallucination (%) ↑ | 60.2 | 80.4 | 80.4 |" in table


def test_comparison_of_unmeasured_runs_says_so(tmp_path: Path) -> None:
    views = [
        make_run(tmp_path / name, "dpo", name=name, steps=2, measured=False, hardness=None)
        for name in ("a", "b")
    ]
    compare(views, tmp_path / "out")
    text = "".join(check_page(tmp_path / "out" / "compare.html").text)
    assert "Nothing was measured in these runs" in text
    assert "None of these runs computed hardness" in text


def test_comparison_wants_two_runs_of_different_names(tmp_path: Path, view: RunView) -> None:
    for views in ([], [view], [view, view]):
        with pytest.raises(DamaError, match="two or more"):
            compare(views, tmp_path)
