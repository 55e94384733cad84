from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from synthetic_run import write_data

from dama.hardness.cache import write_hardness
from dama.report.sheet import load_hardness, thumbnail
from dama.report.view import HardnessView


def row(id_: str, facts: int, score: float, **changes: Any) -> dict[str, Any]:
    sides = {
        f"{side}_{what}": [value] * facts
        for side in ("chosen", "rejected")
        for what, value in (("facts", "A fact."), ("scores", score), ("probabilities", 0.1))
    }
    return {"id": id_, "delta": 0.1, "alpha_data": 1.0, "flags": [], **sides, **changes}


def load(tmp_path: Path, *rows: dict[str, Any], prompt: str = "What is here?") -> HardnessView:
    write_data(tmp_path / "data", preferences=4, prompt=prompt)
    write_hardness(tmp_path, rows)
    return load_hardness(tmp_path, tmp_path / "data", "mean", "probabilities")


def test_an_example_holds_every_fact_share_and_flag(tmp_path: Path) -> None:
    flags = ["chosen:cut", "odd", "rejected:fallback", "rejected:split"]
    view = load(tmp_path, row("p000", 20, 25.0, flags=flags, rejected_probabilities=[0.0] * 20))
    (example,) = view.hardest
    assert len(example.chosen) == 20
    assert example.share("chosen") == pytest.approx(2.0)
    assert example.share("rejected") == 0.0
    assert example.flags_of("rejected") == ("fallback", "split")
    assert example.flags_of("") == ("odd",)
    assert (view.fell_back, view.facts) == (("p000",), 40)


def test_without_a_table_of_data_there_are_no_pictures(tmp_path: Path) -> None:
    write_hardness(tmp_path, [row("p000", 1, 25.0)])
    view = load_hardness(tmp_path, None, "sum", "scores")
    assert (view.hardest[0].prompt, view.hardest[0].picture) == ("", b"")
    assert (view.form, view.splitter, view.scorer) == ("scores", {}, {})


def test_a_preference_that_the_table_lacks_has_no_picture(tmp_path: Path) -> None:
    (example,) = load(tmp_path, row("gone", 1, 25.0)).hardest
    assert (example.prompt, example.picture) == ("", b"")


def test_facts_without_scores_are_shown_without_colour(tmp_path: Path) -> None:
    view = load(tmp_path, row("p001", 2, 25.0, chosen_scores=[], rejected_scores=[None, None]))
    (example,) = view.hardest
    assert all(fact.score != fact.score for fact in (*example.chosen, *example.rejected))
    assert view.score_range == (0.0, 1.0)


def test_few_preferences_are_not_shown_twice(tmp_path: Path) -> None:
    view = load(tmp_path, *(row(f"p{i:03d}", 1, 20.0 + i, delta=i / 10) for i in range(4)))
    assert [e.id for e in view.hardest] == ["p000", "p001", "p002", "p003"]
    assert view.easiest == ()


def test_scores_ends_are_percentiles(tmp_path: Path) -> None:
    low, high = load(tmp_path, row("p000", 1, 10.0), row("p001", 1, 30.0)).score_range
    assert (low, high) == pytest.approx((10.0, 30.0))


@pytest.mark.parametrize(
    ("size", "shown"), [((72, 72), (288, 288)), ((1200, 600), (336, 168)), ((300, 200), (300, 200))]
)
def test_thumbnails_are_small_and_keep_their_shape(size: tuple[int, int], shown: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(thumbnail(Image.new("RGBA", size)))) as image:
        assert image.size == shown
        assert image.format == "JPEG"


def test_a_long_prompt_is_cut_and_set_on_one_line(tmp_path: Path) -> None:
    (example,) = load(tmp_path, row("p000", 1, 25.0), prompt="What\n is " + "x" * 300).hardest
    assert len(example.prompt) == 240
    assert example.prompt.startswith("What is xxx")
    assert example.prompt.endswith("x…")
