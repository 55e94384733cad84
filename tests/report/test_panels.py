from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic_run import make_run

from dama.report.drawing import drawn, spread
from dama.report.figures import beta_panels, beta_statistics, gap_panel, group_means, training_panels
from dama.report.overlays import gap_panels, overlay_panels
from dama.report.palette import DARK, LIGHT, accent
from dama.report.panels import Line, Panel, smoothed, window_of
from dama.report.view import EASIEST


def test_smoothing_is_the_centred_mean_of_what_is_known() -> None:
    values = np.array([1.0, 2.0, np.nan, 5.0])
    assert smoothed(values, 3).tolist() == [1.5, 1.5, 3.5, 5.0]


def test_smoothing_weighs_by_count() -> None:
    # middle: (1·3 + 4·1 + 10·0) / 4
    assert smoothed(np.array([1.0, 4.0, 10.0]), 3, np.array([3.0, 1.0, 0.0]))[1] == pytest.approx(7 / 4)


def test_smoothing_nothing_gives_nothing() -> None:
    assert np.isnan(smoothed(np.array([np.nan, np.nan]), 3)).all()
    assert smoothed(np.array([7.0]), 5).tolist() == [7.0]


def test_windows_are_odd_and_at_least_one() -> None:
    assert [window_of(n) for n in (0, 1, 30, 200)] == [1, 1, 3, 13]


@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("dpo", []),
        ("d2po", ["beta_data", "beta_combined"]),
        ("mdpo", ["beta_model", "beta_combined", "running_mean"]),
        ("dama", ["beta_data", "beta_model", "beta_combined", "running_mean"]),
    ],
)
def test_each_method_shows_the_betas_that_it_has(tmp_path: Path, method: str, names: list[str]) -> None:
    view = make_run(tmp_path, method, steps=4)
    assert [panel.name for panel in beta_panels(view)] == names
    assert [panel.name for panel in training_panels(view)] == ["loss", "rewards", "margin", "accuracy"]


def test_the_paper_figure_is_named_where_there_is_one(tmp_path: Path) -> None:
    view = make_run(tmp_path, steps=4)
    found = {panel.name: panel.paper for panel in beta_panels(view)}
    assert (found["beta_data"], found["beta_model"], found["beta_combined"]) == ("Fig. 7", "Fig. 8", "Fig. 9")


def test_histogram_counts_every_preference_once(tmp_path: Path) -> None:
    view = make_run(tmp_path, steps=1)
    bars, statistics = beta_panels(view)[0].bars, beta_statistics(view)
    assert bars is not None
    assert bars.counts.sum() == 60
    assert bars.edges[0] == pytest.approx(statistics["min"])
    assert bars.edges[-1] == pytest.approx(statistics["max"])
    assert statistics["mean"] == pytest.approx(0.1 * float(view.hardness.alpha_data.mean()))  # type: ignore[union-attr]


def test_group_means_are_beta_times_the_mean_gap(tmp_path: Path) -> None:
    view = make_run(tmp_path, steps=3)
    assert view.gaps is not None
    mean, count = group_means(view, EASIEST, np.array([1.0, 2.0, 3.0]))
    here = (view.gaps.group == EASIEST) & (view.gaps.step == 2)
    assert count[1] == here.sum()
    assert mean[1] == pytest.approx(0.1 * view.gaps.gap[here].mean())


def test_three_groups_are_drawn_over_steps(tmp_path: Path) -> None:
    panel = gap_panel(make_run(tmp_path, steps=40))
    assert panel is not None
    assert [line.label for line in panel.lines] == ["easiest 25 %", "middle 50 %", "hardest 25 %"]
    assert panel.paper == "Figs. 1, 6"


def test_gaps_without_hardness_are_not_drawn(tmp_path: Path) -> None:
    assert gap_panel(make_run(tmp_path, "dpo", steps=2, hardness=None)) is None


def test_same_panel_same_bytes(tmp_path: Path) -> None:
    panel = training_panels(make_run(tmp_path, steps=20))[0]
    assert drawn(panel) == drawn(panel)


def test_pictures_hold_no_date_and_no_software(tmp_path: Path) -> None:
    drawing = drawn(training_panels(make_run(tmp_path, steps=20))[0])
    assert drawing.png.startswith(b"\x89PNG")
    assert b"tEXt" not in drawing.png
    assert "<metadata" not in drawing.svg
    assert "http" not in drawing.svg


def test_figures_take_the_pages_colours(tmp_path: Path) -> None:
    svg = drawn(training_panels(make_run(tmp_path, steps=20))[0]).svg
    assert "var(--dama)" in svg
    assert "var(--sans)" in svg
    assert not [colour for colour in LIGHT.values() if colour in svg]


def test_a_line_of_one_point_is_a_dot() -> None:
    one = np.array([1.0])
    lines = (Line("a", one, one, "dpo", faint=one), Line("", one, np.array([np.nan]), "dama"))
    svg = drawn(Panel("p", '<b> & "q"', "", "y", lines=lines)).svg
    assert "<use" in svg
    assert 'aria-label="&lt;b> &amp; &quot;q&quot;"' in svg


def test_labels_move_apart_as_little_as_needed() -> None:
    assert spread([0.2, 0.8], 0.1) == [0.2, 0.8]
    assert spread([0.5, 0.5], 0.1) == pytest.approx([0.45, 0.55])
    assert spread([0.0, 0.0, 1.0, 1.0], 0.1) == pytest.approx([0.0, 0.1, 0.9, 1.0])
    assert spread([], 0.1) == []


def test_every_method_has_an_accent_on_both_pages() -> None:
    assert set(LIGHT) == set(DARK)
    assert [accent(name) for name in ("dpo", "d2po", "mdpo", "dama", "mfpo")] == [
        "dpo",
        "d2po",
        "mdpo",
        "dama",
        "ink",
    ]


def test_a_second_run_of_a_method_gets_a_dash(tmp_path: Path) -> None:
    views = [make_run(tmp_path / name, "dpo", name=name, steps=30) for name in ("a", "b")]
    loss = overlay_panels(views)[0]
    assert [(line.label, line.dash) for line in loss.lines] == [("a", "-"), ("b", "--")]


def test_gaps_of_several_runs_share_one_scale(tmp_path: Path) -> None:
    views = [make_run(tmp_path / name, name, steps=30) for name in ("dpo", "dama")]
    panels = gap_panels(views)
    assert [panel.title for panel in panels] == ["dpo", "dama"]
    assert len({panel.y_range for panel in panels}) == 1
    assert gap_panels([make_run(tmp_path / "bare", "dpo", steps=2, hardness=None)]) == ()
