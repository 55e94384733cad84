"""Several models' results side by side: every figure, and the paper's table on its side."""

from __future__ import annotations

import json
from pathlib import Path

from dama.records import BenchmarkResult, Measure
from dama.report.evaluation import figures_table, is_published, notes, write_evaluation
from dama.report.results import result_from
from dama.report.table import Table
from dama.report.table_four import OurRow, on_its_side


def halbench(response: float, script: float) -> BenchmarkResult:
    first = Measure("response", response, n=300, low=response - 2, high=response + 2)
    own = (first, Measure("mention", 90.0))
    official = (Measure("response", script), Measure("mention", 90.0))
    return BenchmarkResult("object-halbench", "1", own, "a", "d", mode="robust", official=official, n=300)


MINIATURE = BenchmarkResult("miniature", "1", (Measure("coverage", 88.5),), "a", "d", n=1000)
ROWS = [
    OurRow("before", [halbench(48.0, 48.0), MINIATURE], "7b"),
    OurRow("after <dama>", [halbench(90.0, 89.5)], "7b-dama"),
]


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_every_figure_has_a_row_and_every_model_a_column() -> None:
    table = figures_table(ROWS)
    assert table.columns == ("benchmark", "measure", "before", "after <dama>")
    assert texts(table) == [
        ["object-halbench", "response (%) ↑", "48.00 (46.00 to 50.00)", "90.00 (88.00 to 92.00)"],
        ["", "· official script", "48.00", "89.50"],
        ["object-halbench", "mention (%) ↑", "90.00", "90.00"],
        ["miniature", "coverage (%) ↑", "88.50", "–"],
    ]


def test_the_papers_models_of_the_same_size_stand_beside_ours() -> None:
    table = on_its_side(ROWS)
    assert table.columns == (
        "figure",
        "the paper: LLaVA-1.5-7B",
        "the paper: + DPO",
        "the paper: + D2PO",
        "the paper: + MDPO",
        "the paper: + DAMA",
        "ours: before",
        "ours: after <dama>",
    )
    response, mention = texts(table)
    assert response[0] == "Object HalBench: response % ↑"
    assert response[-2:] == ["48.0 (+0.2)", "90.0 (−0.9)"]
    assert (mention[5], mention[-1]) == ("95.33", "90.0 (−5.3)")


def test_a_model_of_another_size_stands_beside_all_of_the_papers() -> None:
    table = on_its_side([OurRow("ours", [halbench(50, 50)])])
    assert len(table.columns) == 1 + 8 + 1


def test_all_is_written_and_reads_back(tmp_path: Path) -> None:
    write_evaluation("a-run", ROWS, tmp_path)
    written = json.loads((tmp_path / "result.json").read_text())
    assert [(model["name"], model["beside"]) for model in written["models"]] == [
        ("before", "7b"),
        ("after <dama>", "7b-dama"),
    ]
    assert [result_from(raw) for raw in written["models"][0]["results"]] == ROWS[0].results
    markdown, page = (tmp_path / "table.md").read_text(), (tmp_path / "table.html").read_text()
    assert "after \\<dama\\>" in markdown
    assert "after &lt;dama&gt;" in page
    for text in (markdown, page):
        assert "90.87" in text, "the paper's row is there"
        assert "object-halbench, version 1, 300 questions" in text.replace("\\", "")


def test_what_the_paper_did_not_measure_needs_no_table_of_the_papers(tmp_path: Path) -> None:
    rows = [OurRow("before", [MINIATURE])]
    assert not is_published(rows)
    assert notes(rows) == ["before: miniature, version 1, 1,000 questions"]
    write_evaluation("a-run", rows, tmp_path)
    for name in ("table.md", "table.html"):
        assert "Beside the paper" not in (tmp_path / name).read_text()
