"""A report in short: its summary and the lines that a command ends with."""

from __future__ import annotations

import json
from pathlib import Path

from synthetic_run import make_run

from dama.report.page import write_report
from dama.report.summary import Summary, headlines
from dama.report.view import RunView


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
