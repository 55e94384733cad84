"""Fig. 7: the distributions of δ and β_D, and their picture."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic_run import make_run

from dama.report.hardness_picture import hardness_picture
from dama.report.histograms import beta_panel, delta_panel
from dama.report.view import HardnessView


@pytest.fixture
def hardness(tmp_path: Path) -> HardnessView:
    found = make_run(tmp_path, steps=1).hardness
    assert found is not None
    return found


def test_every_preference_is_in_one_bin_and_the_mean_is_marked(hardness: HardnessView) -> None:
    delta = np.array([-1.0, -0.9, 0.0, 1.0, np.nan])
    panel = delta_panel(replace(hardness, delta=delta), "dama")
    assert panel.bars is not None
    assert panel.bars.edges.tolist() == [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0]
    assert panel.bars.counts.tolist() == [2, 0, 0, 0, 1, 0, 0, 1]
    (mark,) = panel.marks
    assert (mark.axis, mark.label) == ("x", "mean −0.225")
    assert mark.value == pytest.approx(-0.225)


def test_one_value_is_one_bar_and_none_is_none() -> None:
    bars = beta_panel(np.full(5, 0.1), "dama").bars
    assert bars is not None
    assert bars.counts.sum() == bars.counts.max() == 5
    nothing = beta_panel(np.empty(0), "dama")
    assert (nothing.bars, nothing.marks) == (None, ())


def test_a_ratio_of_scores_is_even_at_one(hardness: HardnessView) -> None:
    assert "Above 1 the image" in delta_panel(replace(hardness, form="scores"), "dama").caption


def test_the_picture_shows_both_and_has_the_same_bytes_again(hardness: HardnessView) -> None:
    first = hardness_picture(hardness, 0.1)
    assert first == hardness_picture(hardness, 0.1)
    assert first != hardness_picture(hardness, 0.2)
    with Image.open(io.BytesIO(first)) as picture:
        assert picture.format == "PNG"
        assert picture.width > 3 * picture.height
        assert picture.info == {}


def test_numbers_that_are_none_are_not_drawn(hardness: HardnessView) -> None:
    broken = hardness.alpha_data.copy()
    broken[0] = np.nan
    assert hardness_picture(replace(hardness, alpha_data=broken), 0.1).startswith(b"\x89PNG")
