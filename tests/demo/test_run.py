"""The demo: run files, and the lines it ends with."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from dama.demo import stage
from dama.demo.run import ending, run_demo, write_run_file
from dama.errors import SpecError
from dama.records import BenchmarkResult, Measure
from dama.spec.load import load
from dama.stages.base import plan
from dama.stages.registry import STAGES
from dama.storage.commit import write_artifact
from dama.storage.uri import open_store


def test_every_methods_run_file_is_a_whole_run_in_its_own_folder(tmp_path: Path) -> None:
    for method in ("dpo", "d2po", "mdpo", "dama"):
        spec = load(write_run_file(tmp_path, method, 3))
        assert (spec.name, spec.method.name) == (f"demo-{method}", method)
        assert spec.world is not None
        assert (spec.world.seed, spec.train.seed) == (3, 3)
        assert Path(spec.storage.uri.removeprefix("file://")) == tmp_path
        assert plan(spec, (stage.STAGE, *STAGES)).keys() >= {
            "world",
            "baseline",
            "train",
            "evaluate",
            "report",
        }


def test_the_methods_share_all_that_comes_before_training(tmp_path: Path) -> None:
    dpo, dama = (
        plan(load(write_run_file(tmp_path, method, 0)), (stage.STAGE, *STAGES)) for method in ("dpo", "dama")
    )
    for name in ("world", "data", "facts", "scores", "alpha", "baseline", "reference"):
        assert dpo[name].digest == dama[name].digest
    assert dpo["train"].digest != dama["train"].digest


def test_unknown_methods_are_all_named_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"'ppo'; wanted dpo, d2po, mdpo, dama\n.*'grpo'"):
        run_demo(tmp_path / "demo", methods=("ppo", "dpo", "grpo"))
    with pytest.raises(SpecError, match="methods: none"):
        run_demo(tmp_path / "demo", methods=())
    assert not (tmp_path / "demo").exists()


def test_the_demo_ends_with_before_after_and_where_the_report_is(tmp_path: Path) -> None:
    spec = load(write_run_file(tmp_path, "dpo", 0))
    store, whole = open_store(spec.storage), plan(spec, (stage.STAGE, *STAGES))
    for name, value in (("baseline", 60.25), ("evaluate", 82.0)):
        measures = (
            Measure("response", value),
            Measure("mentions", 3.0, "per caption"),
            Measure("coverage", 89.0),
        )
        result = asdict(BenchmarkResult("miniature", "1", measures, "", ""))
        folder = tmp_path / "made" / name
        folder.mkdir(parents=True)
        (folder / "results.json").write_text(json.dumps(result))
        write_artifact(store, whole[name].prefix, folder, {"results": [result]})
    page = tmp_path / "page.html"
    page.write_text("<p>")
    store.put_file("runs/demo-dpo/report/report.html", page)
    assert ending({"dpo": spec}, tmp_path) == [
        "before      response  60.2 %   coverage  89.0 %",
        "after dpo   response  82.0 %   coverage  89.0 %",
        f"report: {tmp_path / 'runs/demo-dpo/report/report.html'}",
    ]
