"""The paper's Table 4: its rows, ours, and never the one for the other."""

from __future__ import annotations

from dama.records import BenchmarkResult, Measure
from dama.report.score_page import remarks, score_table
from dama.report.table_four import PAPER, OurRow, paper_key, paper_table, table_four


def halbench(response: float, official: float) -> BenchmarkResult:
    return BenchmarkResult(
        "object-halbench",
        "1",
        (Measure("response", response, n=300, low=80.0, high=90.0), Measure("mention", 94.0, n=900)),
        "",
        "",
        mode="robust",
        official=(Measure("response", official), Measure("mention", 94.0)),
        n=298,
        missing=2,
        unreadable=3,
        judge="critic",
        details={"requests": 310, "prompt": "dama, version 1"},
    )


def test_the_papers_rows_are_the_papers() -> None:
    table = paper_table()
    assert [cell.text for cell in table.rows[4]] == ["+ DAMA", "90.87", "95.33"]
    assert len(table.rows) == len(PAPER) == 8


def test_ours_stand_below_and_say_by_how_much_they_differ() -> None:
    table = table_four([OurRow("my run, after", [halbench(88.5, 88.46)], "7b-dama")])
    assert table.columns == ("whose", "model", "Object HalBench: response % ↑", "mention % ↑")
    whose = [row[0].text for row in table.rows]
    assert whose == ["the paper"] * 8 + ["ours"]
    assert [cell.text for cell in table.rows[-1]] == ["ours", "my run, after", "88.5 (−2.4)", "94.0 (−1.3)"]
    assert {cell.tone for row in table.rows[:8] for cell in row} == {"quiet"}


def test_the_scripts_figures_have_their_own_row_where_they_differ() -> None:
    table = table_four([OurRow("a", [halbench(88.5, 80.0)])])
    assert [cell.text for cell in table.rows[-2]] == ["ours", "a", "88.5", "94.0"]
    assert [cell.text for cell in table.rows[-1]] == ["ours", "a, official script", "80.0", "94.0"]


def test_columns_come_with_what_was_measured() -> None:
    hal = BenchmarkResult("mmhal", "1", (Measure("score", 2.345, "of 6"), Measure("hall", 51.0)), "", "")
    table = table_four([OurRow("a", [hal])])
    assert table.columns[4:] == ("MMHal: score of 6 ↑", "hallucination % ↓")
    assert [cell.text for cell in table.rows[-1]][2:] == ["–", "–", "2.35", "51.0"]
    assert [cell.text for cell in table.rows[0]][4:] == ["–", "–"]


def test_a_run_answers_to_the_papers_row_of_its_size_and_method() -> None:
    assert paper_key("llava-hf/llava-1.5-7b-hf at 1a2b", "dama") == "7b-dama"
    assert paper_key("llava-hf/llava-1.5-13b-hf", None) == "13b"
    assert paper_key("llava-hf/llava-1.5-13b-hf", "mdpo") is None
    assert paper_key("the miniature world's", "dama") is None


def test_a_score_is_shown_with_its_interval_and_what_to_know() -> None:
    table = score_table(halbench(88.5, 80.0))
    assert table.columns == ("measure", "robust", "95 %", "official script", "n")
    assert [cell.text for cell in table.rows[0]] == [
        "response (%) ↑",
        "88.50",
        "80.00 to 90.00",
        "80.00",
        "300",
    ]
    assert table.rows[1][2].text == "–"
    assert "; ".join(remarks(halbench(88.5, 80.0))) == (
        "object-halbench, version 1, 298 questions; judged by critic (310 requests); "
        "prompt: dama, version 1; 2 questions are missing and count in no figure; 3 could not be read"
    )
    bare = BenchmarkResult("miniature", "1", (Measure("response", 50.0),), "", "")
    assert score_table(bare).columns == ("measure", "value", "95 %", "n")
