"""What a terminal shows of hardness, and what scripts get."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from synthetic_run import make_run

from dama.report.flags import MEANINGS, flag_table, meaning
from dama.report.hardness_json import hardness_json
from dama.report.hardness_text import (
    ends,
    example_heading,
    example_table,
    headings,
    plain,
    remarks,
    spread_table,
)
from dama.report.view import Example, Fact, HardnessView

NONE = float("nan")


@pytest.fixture
def hardness(tmp_path: Path) -> HardnessView:
    found = make_run(tmp_path, steps=1).hardness
    assert found is not None
    return found


def printed(table: Table, width: int = 80) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07 gone?\r\n", "[2J]0;title gone?"),
        ("a\u202egnp.exe\u202c b", "agnp.exe b"),
        ("يوجد قط", "يوجد قط"),
        ("👩‍👩‍👧 😀", "👩‍👩‍👧 😀"),
        ("[bold]x[/]", "[bold]x[/]"),
        ("\ud800\x00\x9b", ""),
        ("y" * 500, "y" * 399 + "…"),
    ],
)
def test_untrusted_text_cannot_steer_a_terminal(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_facts_stand_behind_their_scores() -> None:
    chosen = (Fact("[red]A cat.[/]", 21.25, 0.5), Fact("A dog " * 30, -3.0, 0.1))
    rejected = tuple(Fact(f"Fact {n}.", 20.0, 0.0) for n in range(300))
    lines = printed(example_table(Example("p", 0.1, 1.0, "", chosen, rejected, b"")))
    assert lines[0] == "  chosen     21.2 [red]A cat.[/]"
    assert lines[1].startswith("             −3.0 A dog A dog")
    assert lines[-1].strip() == "… and 286 more"
    assert max(map(len, lines)) <= 80
    assert sum("Fact" in line for line in lines) == 14


def test_an_answer_without_facts_is_said_to_have_none() -> None:
    lines = printed(example_table(Example("p", 0.1, 1.0, "", (), (Fact("x", NONE, NONE),), b"")))
    assert lines == ["  chosen        – no facts", "  rejected      – x"]


def test_a_preference_is_headed_by_its_numbers_and_flags() -> None:
    example = Example("p\x1b1", -0.5, 0.75, "", (), (), b"", ("chosen:cut", "odd"))
    assert example_heading(example) == "δ −0.500  α_D 0.750  p1  [chosen:cut, odd]"
    assert example_heading(replace(example, flags=())) == "δ −0.500  α_D 0.750  p1"


def test_the_hardest_come_first_and_are_called_so(hardness: HardnessView) -> None:
    (hard, hardest), (easy, easiest) = ends(hardness)
    assert hard.startswith("Hardest (smallest δ")
    assert easy.startswith("Easiest (largest δ")
    assert [e.delta for e in hardest] == sorted(hardness.delta)[:5]
    assert [e.delta for e in easiest] == sorted(hardness.delta)[:-6:-1]


def test_numbers_stand_above_the_papers() -> None:
    part = {"mean": 1.0, "std": 0.25, "min": 0.5, "max": 1.5}
    summary = {"delta": part, "alpha_data": part, "beta_data": {"beta": 0.1, **part}}
    lines = printed(spread_table(summary))
    assert lines[0].split() == ["mean", "std", "min", "max"]
    assert lines[3].split() == ["α_D", "1.0000", "0.2500", "0.5000", "1.5000"]
    assert lines[4].split() == ["β_D", "at", "β", "=", "0.1", "1.0000", "0.2500", "0.5000", "1.5000"]
    assert lines[5].split()[-4:] == ["0.0999", "0.0288", "0.0524", "0.1428"]
    assert "–" in printed(spread_table({}))[2]
    assert not any("at β" in line for line in printed(spread_table({})))


def test_headings_say_what_is_known(hardness: HardnessView) -> None:
    bare = replace(hardness, facts=9)
    assert headings(bare, {}, {}) == [("of", "60 preferences, 9 facts"), ("δ by", "sum of probabilities")]
    told = replace(bare, splitter={"engine": "vllm", "instruction": "1"}, scorer={"model": "ViT"})
    assert headings(told, {"facts": {"chosen": 5, "rejected": 4}}, {"facts": 3.21, "alpha": 61.0}) == [
        ("of", "60 preferences, 9 facts (5 of chosen answers, 4 of rejected)"),
        ("δ by", "sum of probabilities"),
        ("facts", "vllm · instruction 1"),
        ("scores", "model ViT"),
        ("time", "facts 3.2 s, alpha 1 min 01 s"),
    ]


def test_remarks_warn_count_and_list(hardness: HardnessView) -> None:
    flagged = replace(hardness, flags={"chosen:cut": 1200, "odd": 1}, fell_back=tuple("abcdefg"))
    share, length, cut, odd, fell = remarks(flagged)
    assert share.endswith("of the preferences have δ > 0: their chosen answer fits the image better.")
    assert length.endswith("length does not dominate.")
    assert cut == f"chosen:cut 1,200: {MEANINGS['cut']}."
    assert odd == "odd 1."
    assert fell == "split by the fall-back: a, b, c, d, e and 2 more."
    by_length = replace(hardness, delta=hardness.more_facts / 10, flags={}, fell_back=())
    assert remarks(by_length)[1].startswith("Length dominates: δ correlates 1.00")
    assert remarks(by_length)[1].endswith("Try hardness.aggregate=mean.")


def test_flags_are_told_in_words_the_most_frequent_first() -> None:
    assert flag_table({"chosen:split": 1, "odd": 30, "rejected:fallback": 2}, 60).markdown().splitlines()[
        2:
    ] == [
        "| odd | – |  | 30 | 50.0 % |",
        f"| fallback | rejected | {MEANINGS['fallback']} | 2 | 3.3 % |",
        f"| split | chosen | {MEANINGS['split']} | 1 | 1.7 % |",
    ]
    assert meaning("chosen:unheard-of") == ""


def test_json_holds_every_fact_and_no_nan(hardness: HardnessView) -> None:
    facts = (*(Fact(f"<script>{n}", 20.0, 0.0) for n in range(299)), Fact("x", NONE, NONE))
    hard = replace(
        hardness, hardest=(Example("p", 0.1, NONE, "", facts, (), b"", ("odd",)),), fell_back=("p",)
    )
    text = json.dumps(hardness_json("/there", "ab", {"form": "x"}, {"alpha": 1.0}, hard), allow_nan=False)
    found = json.loads(text)
    assert (found["artifact"], found["digest"], found["seconds"]) == ("/there", "ab", {"alpha": 1.0})
    (one,) = found["hardest"]
    assert (one["alpha_data"], one["flags"], len(one["chosen"]), one["rejected"]) == (None, ["odd"], 300, [])
    assert one["chosen"][0] == {"fact": "<script>0", "score": 20.0, "probability": 0.0}
    assert one["chosen"][299] == {"fact": "x", "score": None, "probability": None}
    assert found["split_by_fallback"] == ["p"]
    assert len(found["easiest"]) == 5
