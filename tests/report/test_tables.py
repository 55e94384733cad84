from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_run import TIMES, make_run, results_meta

from dama.report import tables
from dama.report.concerns import concerns
from dama.report.view import DataCounts, StageTime, result_from


def test_markdown_cannot_be_broken_out_of() -> None:
    table = tables.Table(("a|b", "n"), ((tables.Cell("<img src=x>\n| `x` _y_ [l](u)"), tables.Cell("1")),))
    assert table.markdown().splitlines() == [
        r"| a\|b | n |",
        "| --- | ---: |",
        r"| \<img src=x\> \| \`x\` \_y\_ \[l\](u) | 1 |",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (float("nan"), "–"),
        (4.21, "4.2 s"),
        (187, "3 min 07 s"),
        (25_320, "7 h 02 min"),
        (59.97, "1 min 00 s"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert tables.duration(seconds) == said


def test_time_spent_here_leaves_reused_stages_out() -> None:
    assert tables.total_seconds(TIMES, reused=False) == pytest.approx(66.6)
    assert tables.total_seconds(TIMES, reused=True) == pytest.approx(88.84)


def test_reused_stages_are_marked_with_their_own_time(tmp_path: Path) -> None:
    text = tables.time_table(make_run(tmp_path, steps=1)).markdown()
    assert "| alpha | reused, made by dpo |  | 6.3 s |" in text
    assert "| train | made here | preferences per second 60.7 | 52.7 s |" in text


def test_a_stage_without_a_time_has_no_bar(tmp_path: Path) -> None:
    view = make_run(tmp_path, steps=1, stages=(StageTime("data", "read", float("nan"), True, ""),))
    cell = tables.time_table(view).rows[0][-1]
    assert (cell.text, cell.bar) == ("–", None)


def test_several_benchmarks_are_told_apart(tmp_path: Path) -> None:
    view = make_run(tmp_path, steps=1)
    other = result_from({**results_meta(1, 2, 3)["results"][0], "benchmark": "other"})
    several = replace(view, after=(*view.after, other))
    assert tables.results_table(view).columns[0] == "measure"
    rows = tables.results_table(several).rows
    assert [row[0].text for row in rows] == ["miniature"] * 3 + ["other"] * 3
    assert [cell.text for cell in rows[3][2:5]] == ["–", "1.0", "–"]


def test_comparison_starts_with_before_and_marks_the_best(tmp_path: Path) -> None:
    views = [
        make_run(tmp_path / "dpo", "dpo", steps=1, after=(82.7, 94.1, 91.9)),
        make_run(tmp_path / "dama", "dama", steps=1, after=(80.4, 93.4, 92.3)),
    ]
    table = tables.comparison_table(views)
    assert [row[0].text for row in table.rows] == ["before", "dpo", "dama"]
    assert [cell.text for cell in table.rows[0][2:]] == ["60.2", "85.9", "89.1"]
    assert [cell.tone for cell in table.rows[1][2:]] == ["best", "best", ""]
    assert [cell.tone for cell in table.rows[2][2:]] == ["", "", "best"]


def test_different_starts_get_a_row_each(tmp_path: Path) -> None:
    view = make_run(tmp_path, steps=1)
    other = replace(view, run="other", before=(result_from(results_meta(50, 60, 70)["results"][0]),))
    table = tables.comparison_table([view, other])
    assert [row[0].text for row in table.rows[:2]] == ["before (dama)", "before (other)"]


def test_comparison_of_times_has_a_column_a_run(tmp_path: Path) -> None:
    view = make_run(tmp_path, steps=1)
    table = tables.comparison_times([view, replace(view, run="other", stages=TIMES[:1])])
    assert [cell.text for cell in table.rows[0]] == ["data", "1.8 s (reused)", "1.8 s (reused)"]
    assert [cell.text for cell in table.rows[3]] == ["train", "52.7 s", "–"]


def test_a_calm_run_raises_no_concern(tmp_path: Path) -> None:
    view = replace(make_run(tmp_path), counts=DataCounts(60, 60, 0, 60, {}))
    assert concerns(view) == ()


def test_length_that_dominates_is_warned_of(tmp_path: Path) -> None:
    (first, *_) = concerns(make_run(tmp_path, steps=1, by_length=True))
    assert first.startswith("Length dominates hardness")
    assert "aggregate: mean" in first


def test_lost_coverage_is_warned_of(tmp_path: Path) -> None:
    assert "coverage got worse by 23.1 points." in concerns(make_run(tmp_path, steps=1, after=(99, 99, 66.0)))


def curves(view_curves: dict[str, np.ndarray], **changes: float) -> dict[str, np.ndarray]:
    return {
        **view_curves,
        **{name: np.full(len(view_curves["step"]), value) for name, value in changes.items()},
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss": float("nan")}, "no finite loss"),
        ({"reward_chosen": -3.0, "reward_margin": 1.0}, "leaves both answers"),
        ({"alpha_model": 1.001}, "in effect off"),
        ({"running_mean": -0.1}, "below 0"),
        ({"cut_tokens": 7.0}, "1,400 answer tokens"),
    ],
)
def test_training_that_goes_wrong_is_warned_of(tmp_path: Path, changes: dict[str, float], words: str) -> None:
    view = make_run(tmp_path)
    wrong = replace(view, curves=curves(dict(view.curves), **changes))
    assert any(words in text for text in concerns(wrong))


def test_quarantine_is_warned_of_from_one_percent(tmp_path: Path) -> None:
    view = make_run(tmp_path, steps=1)
    assert "4 of 64 rows (6.2 %) are in quarantine." in concerns(view)
    assert not concerns(replace(view, counts=DataCounts(1000, 995, 5, 1, {})))


def test_preferences_that_are_too_long_are_warned_of_and_shown(tmp_path: Path) -> None:
    view = make_run(tmp_path, steps=1)
    view = replace(view, counts=replace(view.counts, quarantined=0, over_long=3))
    assert "3 of 60 preferences pass train.max_length and were not trained on." in concerns(view)
    assert any(row[0].text == "too long, not trained on" for row in tables.data_table(view).rows)
