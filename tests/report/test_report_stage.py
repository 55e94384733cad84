"""Stage `report` on committed artifacts, made here by stand-ins for the stages before it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from synthetic_run import results_meta, spec_of, write_alpha, write_data, write_train

from dama.errors import MissingInput
from dama.spec.run import RunSpec
from dama.stages import report
from dama.stages.base import Stage, StageContext, plan, run_stage
from dama.storage.commit import read_commit
from dama.storage.local import LocalStore


def stand_in(
    name: str, fill: Callable[[StageContext], Mapping[str, Any]], reads: tuple[str, ...] = ()
) -> Stage:
    key = (lambda spec: spec.method.name) if name in ("train", "evaluate") else (lambda spec: None)
    return Stage(name, 1, lambda spec: reads, key, fill, name)


def train(context: StageContext) -> dict[str, Any]:
    write_train(context.out, context.spec, steps=20)
    (context.out / "model").mkdir()
    (context.out / "model" / "weights").write_bytes(b"\0" * 1000)
    context.notes["preferences_per_second"] = 60.7
    return {"steps": 20}


def alpha(context: StageContext) -> dict[str, Any]:
    write_alpha(context.out)
    return {}


STAGES = (
    stand_in("data", lambda context: write_data(context.out)),
    stand_in("alpha", alpha, ("data",)),
    stand_in("baseline", lambda _: results_meta(60.2, 85.9, 89.1)),
    stand_in("train", train, ("data", "alpha")),
    stand_in("evaluate", lambda _: results_meta(80.4, 93.4, 92.3), ("train",)),
    report.STAGE,
)


def made(tmp_path: Path, method: str = "dama") -> tuple[RunSpec, LocalStore, Any]:
    spec = spec_of(method, storage={"uri": str(tmp_path / "store")})
    whole = plan(spec, STAGES)
    for planned in whole.values():
        run_stage(spec, planned, whole)
    return spec, LocalStore(tmp_path / "store"), whole


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunSpec, LocalStore, Any]:
    """A run that tests only read."""
    return made(tmp_path_factory.mktemp("finished"))


def test_stage_leaves_page_tables_pictures_and_summary(finished: tuple[RunSpec, LocalStore, Any]) -> None:
    _, store, whole = finished
    commit = read_commit(store, whole["report"].prefix)
    assert commit is not None
    assert {"report.html", "report.md", "summary.json", "figures/loss.png"} <= set(commit.parts)
    assert commit.meta["verdict"] == "response-level non-hallucination 60.2 → 80.4 (+20.2)"
    summary = json.loads(store.get_bytes(f"{whole['report'].prefix}/summary.json"))
    assert set(summary["artifacts"]) == {"data", "alpha", "baseline", "train", "evaluate"}
    assert not any(duration["reused"] for duration in summary["durations"].values())


def test_a_second_run_says_whose_artifacts_it_reused(tmp_path: Path) -> None:
    made(tmp_path, "dpo")
    _, store, whole = made(tmp_path, "dama")
    durations = json.loads(store.get_bytes(f"{whole['report'].prefix}/summary.json"))["durations"]
    assert {name: d["maker"] for name, d in durations.items()} == {
        "data": "dpo",
        "alpha": "dpo",
        "baseline": "dpo",
        "train": "dama",
        "evaluate": "dama",
    }
    assert [name for name, d in durations.items() if d["reused"]] == ["data", "alpha", "baseline"]


def test_page_does_not_name_the_store(finished: tuple[RunSpec, LocalStore, Any]) -> None:
    _, store, whole = finished
    page = store.get_bytes(f"{whole['report'].prefix}/report.html").decode()
    assert str(store.root) not in page
    assert "preferences per second 60.7" in page


def test_a_report_made_again_has_the_same_bytes(tmp_path: Path) -> None:
    spec, store, whole = made(tmp_path)
    first = read_commit(store, whole["report"].prefix)
    store.delete(f"{whole['report'].prefix}/commit.json")
    run_stage(spec, whole["report"], whole)
    assert read_commit(store, whole["report"].prefix) == first


def test_runs_are_compared_from_their_artifacts(tmp_path: Path) -> None:
    page = report.compare_runs([made(tmp_path, "dpo"), made(tmp_path, "dama")], tmp_path / "out")
    assert page.name == "compare.html"
    assert "Comparison of 2 runs" in page.read_text(encoding="utf-8")


class Elsewhere(LocalStore):
    """A store that, like S3, has no local folder; it notes what is fetched."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.fetched: list[str] = []

    def local(self, key: str) -> Any:
        return None

    def get_file(self, key: str, path: Path, progress: Any = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.fetched.append(key.rpartition("/")[2])
        super().get_file(key, path, progress)

    def get_bytes(self, key: str) -> bytes:
        self.fetched.append(key.rpartition("/")[2])
        return super().get_bytes(key)


def test_weights_are_not_fetched_to_look_at_a_run(finished: tuple[RunSpec, LocalStore, Any]) -> None:
    spec, local, whole = finished
    store = Elsewhere(local.root)
    view = report.load_view(spec, store, whole)
    assert view.steps == 20
    assert "metrics.jsonl" in store.fetched
    assert "weights" not in store.fetched


def test_a_run_that_is_not_finished_names_the_missing_stage(tmp_path: Path) -> None:
    spec = spec_of(storage={"uri": str(tmp_path / "store")})
    with pytest.raises(MissingInput, match="dama stage data"):
        report.load_view(spec, LocalStore(tmp_path / "store"), plan(spec, STAGES))


def test_a_stage_without_a_record_is_left_out_of_times(tmp_path: Path) -> None:
    spec, store, whole = made(tmp_path)
    store.delete(f"{whole['data'].prefix}/made.json")
    assert [s.stage for s in report.load_view(spec, store, whole).stages] == [
        "alpha",
        "baseline",
        "train",
        "evaluate",
    ]


def test_reads_follow_the_run_file() -> None:
    assert report.STAGE.reads(spec_of()) == ("data", "alpha", "baseline", "train", "evaluate")
    assert report.STAGE.reads(spec_of("dpo", hardness=None, evaluate={"benchmarks": []})) == ("data", "train")


def test_importing_the_stage_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'transformers', 'numpy', 'pyarrow', 'boto3', 'matplotlib', 'jinja2', 'PIL'}"
    code = f"import sys, dama.stages.report; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
