from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic_run import make_run, results_meta, spec_of

from dama.errors import DataError
from dama.records import BenchmarkResult, Measure
from dama.report.loading import Sources, groups_of, load_run, read_gaps, read_metrics
from dama.report.results import result_from
from dama.report.runfile import shown
from dama.report.view import EASIEST, HARDEST, MIDDLE, HardnessView, number, signed


def hardness(
    delta: list[float], more: list[float] | None = None, form: str = "probabilities"
) -> HardnessView:
    values = np.array(delta)
    return HardnessView(
        ids=tuple(f"p{i}" for i in range(len(delta))),
        delta=values,
        alpha_data=np.ones(len(delta)),
        more_facts=np.array(more or [0.0] * len(delta)),
        flags={},
        score_range=(0, 1),
        hardest=(),
        easiest=(),
        form=form,
    )


def test_easy_is_the_quarter_with_the_largest_delta() -> None:
    groups = groups_of(hardness([0.9, -0.9, 0.1, 0.2, 0.3, -0.1, 0.8, -0.8]))
    assert [id_ for id_, g in groups.items() if g == EASIEST] == ["p0", "p6"]
    assert sorted(id_ for id_, g in groups.items() if g == HARDEST) == ["p1", "p7"]
    assert sum(g == MIDDLE for g in groups.values()) == 4


def test_groups_of_few_or_unknown_preferences_are_all_middle() -> None:
    assert groups_of(hardness([0.5, float("nan"), 0.1])) == {"p0": MIDDLE, "p2": MIDDLE}


def test_length_correlation_is_pearsons_r() -> None:
    view = hardness([1.0, 2.0, 4.0], [0.0, 1.0, 2.0])
    # means 7/3 and 1; covariance sum 3, square sums 14/3 and 2: r = 3 / sqrt(28/3)
    assert view.length_correlation == pytest.approx(3 / np.sqrt(28 / 3))


@pytest.mark.parametrize("view", [hardness([0.1, 0.2]), hardness([0.1, 0.2, 0.3]), hardness([])])
def test_length_correlation_without_variation_is_nan(view: HardnessView) -> None:
    assert np.isnan(view.length_correlation)


def test_shares_leave_unknown_deltas_out() -> None:
    assert hardness([0.5, -0.5, float("nan"), 0.2]).share_positive == pytest.approx(2 / 3)
    assert hardness([1.5, 0.5], form="scores").share_positive == 0.5
    assert np.isnan(hardness([]).share_positive)
    assert np.isnan(hardness([]).mean_delta)


def test_metrics_keep_step_order_and_null_is_nan(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text(
        '{"step": 2, "loss": 0.5, "alpha_model": null}\n\n{"step": 1, "loss": 0.7}\n'
    )
    metrics = read_metrics(tmp_path / "m.jsonl")
    assert metrics["step"].tolist() == [1, 2]
    assert metrics["loss"].tolist() == [0.7, 0.5]
    assert np.isnan(metrics["alpha_model"]).all()


@pytest.mark.parametrize("line", ["{", "[1]", '{"loss": 1}'])
def test_metrics_that_are_none_name_their_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "m.jsonl").write_text('{"step": 1}\n' + line + "\n")
    with pytest.raises(DataError, match="line 2"):
        read_metrics(tmp_path / "m.jsonl")


def test_a_run_without_metrics_or_gaps_can_still_be_read(tmp_path: Path) -> None:
    assert read_metrics(tmp_path / "none.jsonl")["step"].tolist() == []
    assert read_gaps(tmp_path / "none.parquet", None) is None


def test_gaps_get_the_group_of_their_preference(tmp_path: Path) -> None:
    view = make_run(tmp_path, steps=5)
    assert view.gaps is not None
    assert view.hardness is not None
    assert len(view.gaps.gap) == 5 * 16
    assert set(view.gaps.group.tolist()) <= {0.0, 1.0, 2.0}
    assert set(view.gaps.kept.tolist()) <= {0.0, 1.0}


def test_gaps_without_hardness_have_no_group(tmp_path: Path) -> None:
    view = make_run(tmp_path, "dpo", steps=3, hardness=None)
    assert view.gaps is not None
    assert (view.gaps.group == -1).all()


def test_hardest_and_easiest_are_ordered_from_their_ends(tmp_path: Path) -> None:
    view = make_run(tmp_path, steps=2)
    assert view.hardness is not None
    low, high = [e.delta for e in view.hardness.hardest], [e.delta for e in view.hardness.easiest]
    assert low == sorted(view.hardness.delta.tolist())[:5]
    assert high == sorted(view.hardness.delta.tolist(), reverse=True)[:5]
    assert view.hardness.flags == {"chosen:fallback": 3}
    assert all(
        e.picture.startswith(b"\xff\xd8") and e.prompt == "Describe the image." for e in view.hardness.hardest
    )


def test_verdict_says_before_after_and_difference(tmp_path: Path) -> None:
    assert make_run(tmp_path).verdict() == "response-level non-hallucination 60.2 → 80.4 (+20.2)"


def test_verdict_of_an_unmeasured_run_says_so(tmp_path: Path) -> None:
    assert make_run(tmp_path, steps=1, measured=False).verdict() == (
        "trained for 1 step; nothing was measured before and after"
    )


def test_measures_of_one_side_only_have_no_difference(tmp_path: Path) -> None:
    spec, made = spec_of(), make_run(tmp_path, steps=1)
    folders = {name: tmp_path / name for name in ("data", "train")}
    metas = {"data": {}, "train": {}, "evaluate": results_meta(80.4, 93.4, 92.3)}
    view = load_run(spec, Sources(folders, metas))
    change = view.changes()[0]
    assert (change.before, change.after, change.difference, change.improved) == (None, 80.4, None, None)
    assert view.hardness is None
    assert made.changes()[0].improved is True


@pytest.mark.parametrize(("better", "improved"), [("higher", False), ("lower", True), ("neither", None)])
def test_improvement_follows_the_measures_better_side(
    tmp_path: Path, better: str, improved: bool | None
) -> None:
    view = make_run(tmp_path, steps=1)
    before, after = (
        (BenchmarkResult("b", "1", (Measure("m", value, "%", better, 10),), "", ""),)
        for value in (50.0, 40.0)
    )
    changed = type(view)(**{**view.__dict__, "before": before, "after": after})
    assert changed.changes()[0].improved is improved


def test_a_missing_value_is_no_number() -> None:
    raw = {"benchmark": "b", "measures": [{"name": "m", "value": None}]}
    assert np.isnan(result_from(raw).measures[0].value)


def test_numbers_are_written_for_people() -> None:
    assert [number(None), number(float("nan")), number(-1.25, 2)] == ["–", "–", "−1.25"]
    assert [signed(None), signed(2.0), signed(-2.0), signed(-0.04), signed(0.0)] == [
        "–",
        "+2.0",
        "−2.0",
        "0.0",
        "0.0",
    ]


def test_the_shown_run_file_names_no_place_of_this_machine() -> None:
    spec = spec_of(data={"kind": "rlaif-v", "uri": "hidden/rows.parquet"})
    assert "/somewhere" in spec.data.uri  # type: ignore[union-attr]
    text = shown(spec)
    assert "somewhere" not in text
    assert "hidden" not in text
    assert "…/rows.parquet" in text
    assert "\nstorage:" not in text
