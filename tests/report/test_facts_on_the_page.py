"""Facts on the page: whatever they hold, coloured by their score, with what happened to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from synthetic_run import write_alpha, write_data
from whole_page import check_page

from dama.report.describe import described_engine
from dama.report.page import warmth, write_report
from dama.report.sheet import load_hardness
from dama.report.view import Example, Fact, RunView


def test_facts_of_every_kind_stand_on_the_page(tmp_path: Path, view: RunView) -> None:
    assert view.hardness is not None
    arabic, emoji, long = "يوجد قط أسود كبير على الطاولة.", "😀🎉👩‍👩‍👧", "x" * 20_000
    chosen = tuple(Fact(text, 25.0, 0.25) for text in (arabic, emoji, "\u202egnp.exe", long))
    many = tuple(Fact(f"fact {n}", 20.0, 0.0) for n in range(300))
    flags = ("chosen:fallback", "rejected:truncated", "rejected:split")
    example = Example("p1", 1.0, 1.4, arabic, chosen, many, b"", flags)
    write_report(replace(view, hardness=replace(view.hardness, hardest=(example,))), tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    text = "".join(check_page(tmp_path / "report.html").text)
    # Each fact has a direction of its own, so that an Arabic one, or a mark in one, moves nothing beside it.
    assert f"<b>25.0</b> <bdi>{arabic}</bdi>" in page
    assert f"<bdi>{emoji}</bdi>" in page
    assert "<bdi>\u202egnp.exe</bdi>" in page
    assert "x" * 399 + "…" in text
    assert "x" * 400 not in text
    assert "fact 13" in text
    assert "fact 14" not in text
    assert "… and 286 more" in text
    assert "300 facts, 0 % of the probability" in text
    assert "4 facts, 100 % of the probability" in text
    said = page[page.index("300 facts") :].split("</h4>")[0]
    assert "truncated</span>" in said
    assert "split</span>" in said
    assert "fallback" not in said


def test_the_legend_is_read_without_colours(tmp_path: Path, view: RunView) -> None:
    assert view.hardness is not None
    shown = replace(view, hardness=replace(view.hardness, score_range=(10.0, 20.0)))
    write_report(shown, tmp_path)
    text = "".join(check_page(tmp_path / "report.html").text)
    assert "≤ 10.012.515.017.5≥ 20.0" in text


def test_what_fell_back_is_counted_and_listed(tmp_path: Path, view: RunView) -> None:
    assert view.hardness is not None
    ids = tuple(f"p{n}" for n in range(50))
    hardness = replace(view.hardness, fell_back=ids, flags={"chosen:fallback": 50, "odd": 2})
    write_report(replace(view, hardness=hardness), tmp_path)
    text = " ".join("".join(check_page(tmp_path / "report.html").text).split())
    assert "50 preferences split by the fall-back" in text
    assert "p39 and 10 more" in text
    assert "50 of 60 preferences have an answer that the language model could not split" in text
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    words = "the language model gave no usable list; rules split this answer"
    assert f"| fallback | chosen | {words} | 50 | 83.3 % |\n| odd | – |  | 2 | 3.3 % |" in markdown


def test_engines_are_named_without_places(tmp_path: Path) -> None:
    write_data(tmp_path / "data", preferences=4)
    write_alpha(tmp_path / "alpha", preferences=4)
    model = {"kind": "local", "path": "/home/me/qwen", "digest": None}
    summary = {
        "splitter": {"dtype": "auto", "engine": "vllm", "instruction": 1, "max_facts": 64, "model": model},
        "scorer": {"engine": "open_clip", "weights": "/secret/clip", "digest": "ab" * 32},
    }
    found = load_hardness(tmp_path / "alpha", tmp_path / "data", "sum", "probabilities", summary)
    assert described_engine(found.splitter) == "vllm · model …/qwen · instruction 1 · dtype auto"
    assert described_engine(found.scorer) == "open_clip · weights …/clip · digest abababab"
    assert described_engine({"model": {"kind": "miniature"}, "revision": None}) == "model miniature"


def test_facts_are_coloured_between_the_ends() -> None:
    shades = [
        warmth(Fact("f", score, 0.1), (10.0, 20.0)) for score in (5.0, 10.0, 12.5, 20.0, 30.0, float("nan"))
    ]
    assert shades == ["0%", "0%", "25%", "100%", "100%", ""]
    assert warmth(Fact("f", 3.0, 0.1), (3.0, 3.0)) == "50%"
