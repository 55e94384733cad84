from __future__ import annotations

import html.parser
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_run import make_run, write_alpha, write_data

from dama.errors import DamaError
from dama.report.describe import described_engine
from dama.report.page import compare, symbols, warmth, write_report
from dama.report.sheet import load_hardness
from dama.report.summary import Summary, headlines
from dama.report.view import Example, Fact, RunView

VOID = {"meta", "link", "img", "br"}
EVIL = "<script>alert(1)</script>\"'&{{ 7 * 7 }}"


class Balanced(html.parser.HTMLParser):
    """Checks that every element is closed where it should be; collects ids, addresses and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def _seen(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"{tag} has a handler {name}"
            if name == "id":
                self.ids.append(str(value))
            if name in ("src", "href", "srcset", "data", "action", "xlink:href"):
                self.addresses.append(str(value))


def parsed(page: Path) -> Balanced:
    parser = Balanced()
    parser.feed(page.read_text(encoding="utf-8"))
    parser.close()
    assert parser.open == []
    return parser


def check_page(page: Path) -> Balanced:
    found = parsed(page)
    assert len(found.ids) == len(set(found.ids))
    assert all(a.startswith(("data:", "#")) for a in found.addresses)
    assert "script" not in found.tags
    assert {a[1:] for a in found.addresses if a.startswith("#")} <= set(found.ids)
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"@import|url\((?!#)", text)
    return found


@pytest.fixture
def view(tmp_path: Path) -> RunView:
    return make_run(tmp_path / "run", steps=40)


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


def test_a_name_that_tries_to_be_markup_is_escaped_before_symbols_are_set() -> None:
    assert str(symbols("<b>β_C</b> `a<b`")) == "&lt;b&gt;<i>β</i><sub>C</sub>&lt;/b&gt; <code>a&lt;b</code>"


def test_facts_are_coloured_between_the_ends() -> None:
    shades = [
        warmth(Fact("f", score, 0.1), (10.0, 20.0)) for score in (5.0, 10.0, 12.5, 20.0, 30.0, float("nan"))
    ]
    assert shades == ["0%", "0%", "25%", "100%", "100%", ""]
    assert warmth(Fact("f", 3.0, 0.1), (3.0, 3.0)) == "50%"


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


def test_summary_is_typed_and_says_what_the_page_says(tmp_path: Path, view: RunView) -> None:
    summary = write_report(view, tmp_path)
    raw = json.loads((tmp_path / "summary.json").read_text())
    assert Summary.model_validate(raw) == summary
    assert raw["schema_version"] == 1
    assert [(r["measure"], r["difference"]) for r in raw["results"]] == [
        ("response", 20.2),
        ("mention", 7.5),
        ("coverage", 3.2),
    ]
    assert raw["durations"]["alpha"] == {"seconds": 6.3, "reused": True, "maker": "dpo"}
    assert raw["report"] == "report.html"
    assert raw["hardness"]["beta_data"]["min"] > 0.05


def test_headlines_are_before_and_after(tmp_path: Path, view: RunView) -> None:
    raw = write_report(view, tmp_path).model_dump(mode="json")
    before, after, *rest = headlines(raw)
    assert before.startswith("dama before: response-level non-hallucination 60.2%, mention-level")
    assert "response-level non-hallucination 80.4% (+20.2)" in after
    assert all(line.startswith("warning: ") for line in rest)


def test_headline_of_an_unmeasured_run_is_its_verdict(tmp_path: Path) -> None:
    view = make_run(tmp_path / "run", steps=2, measured=False)
    raw = write_report(view, tmp_path / "out").model_dump(mode="json")
    assert headlines(raw)[0] == "dama trained for 2 steps; nothing was measured before and after"


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


def test_a_long_run_is_reported_in_seconds(tmp_path: Path) -> None:
    view = make_run(tmp_path / "run", steps=3000)
    started = time.process_time()
    write_report(view, tmp_path / "out")
    assert time.process_time() - started < 6
