"""The report's page: whole, alone, the same each time, and safe whatever a run holds."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_run import make_run
from whole_page import check_page

from dama.report.page import symbols, write_report
from dama.report.view import Example, Fact, RunView

EVIL = "<script>alert(1)</script>\"'&{{ 7 * 7 }}"


@pytest.mark.parametrize("method", ["dpo", "d2po", "mdpo", "dama"])
def test_page_is_whole_and_needs_nothing_else(tmp_path: Path, method: str) -> None:
    write_report(make_run(tmp_path / "run", method, steps=40), tmp_path / "out")
    found = check_page(tmp_path / "out" / "report.html")
    assert "response-level non-hallucination 60.2 → 80.4 (+20.2)" in "".join(found.text)


def test_a_run_of_one_step_with_nothing_measured_and_no_hardness(tmp_path: Path) -> None:
    bare = make_run(tmp_path / "run", "dpo", steps=1, measured=False, hardness=None, stages=())
    write_report(bare, tmp_path / "out")
    text = "".join(check_page(tmp_path / "out" / "report.html").text)
    assert "evaluate.benchmarks" in text
    assert "This run computed no hardness" in text
    assert "same β = 0.1" in text


def test_a_run_that_recorded_nothing_still_has_a_page(tmp_path: Path) -> None:
    empty = make_run(tmp_path / "run", steps=0, measured=False, stages=())
    assert empty.gaps is None
    summary = write_report(empty, tmp_path / "out")
    assert "No step was recorded." in "".join(check_page(tmp_path / "out" / "report.html").text)
    assert summary.steps == 0


def test_same_run_same_bytes(tmp_path: Path, view: RunView) -> None:
    for name in ("a", "b"):
        write_report(view, tmp_path / name)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(files) == 3 + 9
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)


def test_untrusted_text_stays_text(tmp_path: Path, view: RunView) -> None:
    assert view.hardness is not None
    evil = Fact(EVIL, 25.0, 0.5)
    example = Example(
        EVIL, 0.1, 1.0, EVIL, (evil,), (evil, Fact("unscored", float("nan"), float("nan"))), b"",
        (EVIL, f"chosen:{EVIL}"),
    )  # fmt: skip
    changed = replace(
        view,
        model=EVIL,
        data=EVIL,
        run_file=EVIL,
        hardness=replace(
            view.hardness,
            hardest=(example,),
            flags={EVIL: 1, "chosen:cut": 1},
            fell_back=(EVIL,),
            splitter={"engine": EVIL, EVIL: {EVIL: EVIL}},
            scorer={EVIL: EVIL},
        ),
        counts=replace(view.counts, reasons={EVIL: 2}),
        versions={EVIL: EVIL},
    )
    write_report(changed, tmp_path)
    found = check_page(tmp_path / "report.html")
    text = "".join(found.text)
    assert text.count(EVIL) >= 18
    assert "49" not in re.findall(r"alert\(1\)</script>\"'&(\d+)", text)
    assert not re.search(r"(?<!\\)<", (tmp_path / "report.md").read_text(encoding="utf-8"))


def test_a_name_that_tries_to_be_markup_is_escaped_before_symbols_are_set() -> None:
    assert str(symbols("<b>β_C</b> `a<b`")) == "&lt;b&gt;<i>β</i><sub>C</sub>&lt;/b&gt; <code>a&lt;b</code>"


def test_the_papers_numbers_are_marked_as_the_papers(tmp_path: Path, view: RunView) -> None:
    write_report(view, tmp_path)
    text = " ".join("".join(check_page(tmp_path / "report.html").text).split())
    assert "The paper’s results, not ours" in text
    assert "90.87" in text
    assert "the paper’s (RLAIF-V)0.05240.14280.09990.0288" in text


def test_length_warning_shows_on_the_page(tmp_path: Path) -> None:
    write_report(make_run(tmp_path / "run", steps=3, by_length=True), tmp_path / "out")
    text = "".join(check_page(tmp_path / "out" / "report.html").text)
    assert "Length dominates hardness" in text
    assert "Length dominates:" in text


def test_markdown_shows_every_picture(tmp_path: Path, view: RunView) -> None:
    write_report(view, tmp_path)
    named = re.findall(r"\(figures/([\w-]+\.png)\)", (tmp_path / "report.md").read_text(encoding="utf-8"))
    assert sorted(named) == sorted(p.name for p in (tmp_path / "figures").iterdir())
    assert "| response-level non-hallucination (%) ↑ | 60.2 | 80.4 | +20.2 | 1,000 |" in (
        tmp_path / "report.md"
    ).read_text(encoding="utf-8")


def test_a_long_run_is_reported_in_seconds(tmp_path: Path) -> None:
    view = make_run(tmp_path / "run", steps=3000)
    started = time.process_time()
    write_report(view, tmp_path / "out")
    assert time.process_time() - started < 6
