from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_run import TIMES, make_run, results_meta

from dama.records import BenchmarkResult, Measure
from dama.report import tables
from dama.report.concerns import concerns
from dama.report.page import published_table, write_report
from dama.report.results import result_from
from dama.report.summary import headlines, summarised
from dama.report.table import Cell, Table
from dama.report.view import DataCounts, StageTime


def test_markdown_cannot_be_broken_out_of() -> None:
    table = Table(("a|b", "n"), ((Cell("<img src=x>\n| `x` _y_ [l](u)"), Cell("1")),))
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
    assert table.columns == ("measure", "before", "dpo", "dama")
    assert [row[1].text for row in table.rows] == ["60.2", "85.9", "89.1"]
    assert [row[2].tone for row in table.rows] == ["best", "best", ""]
    assert [row[3].tone for row in table.rows] == ["", "", "best"]


def test_many_measures_make_a_comparison_long_not_wide(tmp_path: Path) -> None:
    view = replace(make_run(tmp_path, steps=1), run="one")
    other = result_from({**results_meta(1, 2, 3)["results"][0], "benchmark": "other"})
    several = replace(view, run="two", after=(*view.after, other))
    table = tables.comparison_table([view, several])
    assert table.columns == ("benchmark", "measure", "before", "one (dama)", "two (dama)")
    assert [row[0].text for row in table.rows] == ["miniature", "", "", "other", "", ""]
    assert [cell.text for cell in table.rows[3][2:]] == ["–", "–", "1.0"]
    assert table.words == 2


def test_different_starts_get_a_column_each(tmp_path: Path) -> None:
    view = make_run(tmp_path, steps=1)
    other = replace(view, run="other", before=(result_from(results_meta(50, 60, 70)["results"][0]),))
    table = tables.comparison_table([view, other])
    assert table.columns[1:3] == ("before (dama)", "before (other)")
    assert [cell.text for cell in table.rows[0][1:3]] == ["60.2", "50.0"]


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


def published(response: float, official: float, **changes: Any) -> BenchmarkResult:
    """A result of Object HalBench, with what its own script makes of the same answers."""
    return BenchmarkResult(
        "object-halbench", "1", (Measure("response", response, n=300),), "", "",
        mode="robust", official=(Measure("response", official, n=300),), n=300, **changes,
    )  # fmt: skip


def test_the_scripts_figures_stand_below_ours_where_they_differ(tmp_path: Path) -> None:
    view = make_run(tmp_path, steps=1)
    differing = replace(view, before=(published(50.0, 50.0),), after=(published(60.0, 58.0),))
    rows = [[cell.text for cell in row] for row in tables.results_table(differing).rows]
    assert rows == [
        ["response-level non-hallucination (%) ↑", "50.0", "60.0", "+10.0", "300"],
        ["· official script", "50.0", "58.0", "+8.0", ""],
    ]
    same = replace(view, before=(published(50.0, 50.0),), after=(published(60.0, 60.01),))
    assert len(tables.results_table(same).rows) == 1
    both = replace(differing, after=(*differing.after, *view.after))
    assert [row[0].text for row in tables.results_table(both).rows][:2] == ["object-halbench", ""]


def test_a_report_puts_published_benchmarks_beside_the_papers(tmp_path: Path) -> None:
    view = make_run(tmp_path / "run", steps=1)
    view = replace(view, model="llava-hf/llava-1.5-7b-hf", after=(published(60.0, 58.0),))
    four = published_table(view)
    assert four is not None
    assert [row[1].text for row in four.rows][-2:] == ["dama, after", "dama, after, official script"]
    assert four.rows[-2][2].text == "60.0 (−30.9)"
    write_report(view, tmp_path / "out")
    for name in ("report.html", "report.md"):
        text = (tmp_path / "out" / name).read_text()
        assert "Table 4" in text
        assert "60.0 (−30.9)" in text
    assert published_table(make_run(tmp_path / "other", steps=1)) is None


def test_what_could_not_be_read_is_warned_of(tmp_path: Path) -> None:
    view = replace(make_run(tmp_path, steps=1), after=(published(60.0, 60.0, unreadable=4, missing=2),))
    told = concerns(view)
    assert "object-halbench, after: 4 of 300 could not be read." in told
    assert "object-halbench, after: 2 questions are missing and count in no figure." in told


def test_a_benchmark_of_many_measures_ends_in_its_first_few(tmp_path: Path) -> None:
    many = tuple(Measure(f"m{n}", float(n), unit="") for n in range(9))
    view = replace(make_run(tmp_path, steps=1), before=(), after=(BenchmarkResult("b", "1", many, "", ""),))
    line = next(line for line in headlines(summarised(view).model_dump()) if " after: " in line)
    assert line.endswith("after: m0 0.0, m1 1.0, m2 2.0, m3 3.0, m4 4.0")


def test_results_of_this_and_of_earlier_versions_are_read() -> None:
    result = published(60.0, 58.0, judge="critic", missing=1, unreadable=2)
    assert result_from(json.loads(json.dumps(asdict(result)))) == result
    old = {"benchmark": "b", "measures": [{"name": "m", "value": 1.0}]}
    assert result_from(old) == BenchmarkResult("b", "", (Measure("m", 1.0),), "", "")
