"""Answers in shards: the same bytes whoever makes them and whatever is killed, and scored without a model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import asked_run
import pytest
from asked_run import Echo, in_shards_of, planned
from small_runs import artifacts

from dama.demo.stage import STAGE as REAL_WORLD
from dama.errors import CorruptArtifact, DataError, ToolMissing
from dama.evaluate.answers import read_shards
from dama.spec.load import dump, parse
from dama.spec.run import RunSpec
from dama.stages import answers, baseline_answers
from dama.stages.base import plan, run_stage
from dama.stages.made import read_made
from dama.stages.share import Share
from dama.storage.commit import write_artifact
from dama.storage.uri import open_store

SCENES = 11
ASKED, SCORED = "baseline-answers", "baseline"


def a_run(folder: Path, world: Path, *overrides: str) -> RunSpec:
    """Write run.yaml into `folder`, with the world's artifact in its store; return the run."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [f"evaluate.benchmarks=[{{kind: miniature, scenes: {SCENES}}}]", "storage={uri: store}"]
    spec = parse("model: tiny\nmethod: dpo", [*sizes, *overrides], folder=folder)
    write_artifact(open_store(spec.storage), planned(spec)["world"].prefix, world, {})
    (folder / "run.yaml").write_text(dump(spec))
    return spec


@pytest.fixture(scope="module")
def whole(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunSpec, dict[str, bytes]]:
    """A run whose answers nobody disturbed, with the bytes of its artifacts."""
    spec = a_run(tmp_path_factory.mktemp("whole"), small_world)
    make(spec)
    return spec, artifacts(spec)


def make(spec: RunSpec, *shares: str, most: int = 2) -> None:
    for share in shares or ("0/1",):
        run_stage(spec, planned(spec, most)[ASKED], planned(spec, most), Share.parse(share))
    run_stage(spec, planned(spec, most)[SCORED], planned(spec, most))


def start(folder: Path, stage: str, *, pause: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, asked_run.__file__, stage, str(folder / "run.yaml")]
    return subprocess.Popen(command, env={**os.environ, "PAUSE": str(pause)})


def shards_there(spec: RunSpec) -> int:
    place = Path(spec.storage.uri) / planned(spec)[ASKED].prefix / "shards"
    return len(list(place.glob("*/commit.json")))


@pytest.mark.parametrize("shares", [("0/2", "1/2"), ("4/5", "2/5", "0/5", "1/5", "3/5"), ("1/3", "0/1")])
def test_any_number_of_processes_in_any_order_leave_the_same_bytes(
    whole: tuple[RunSpec, dict[str, bytes]], small_world: Path, tmp_path: Path, shares: tuple[str, ...]
) -> None:
    spec = a_run(tmp_path, small_world)
    make(spec, *shares)
    assert artifacts(spec) == whole[1]


def test_kills_at_work_leave_the_same_bytes(
    whole: tuple[RunSpec, dict[str, bytes]], small_world: Path, tmp_path: Path
) -> None:
    spec = a_run(tmp_path, small_world)
    for wanted in (1, 3):
        process = start(tmp_path, ASKED, pause=0.05)
        deadline = time.monotonic() + 60
        while shards_there(spec) < wanted:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.005)
        process.kill()
        process.wait()
        assert wanted <= shards_there(spec) < 6
    there = shards_there(spec)
    opened = Echo.opened
    make(spec)
    assert Echo.opened == opened + 1
    assert artifacts(spec) == whole[1]
    assert 0 < there < 6, "what was there was not made again"


def test_shards_hold_what_one_shard_holds(
    whole: tuple[RunSpec, dict[str, bytes]], small_world: Path, tmp_path: Path
) -> None:
    spec = a_run(tmp_path, small_world)
    make(spec, most=SCENES)
    prefix = planned(spec)[SCORED].prefix
    for part in ("answers-miniature.jsonl", "results.json", "commit.json"):
        assert artifacts(spec)[f"{prefix}/{part}"] == whole[1][f"{prefix}/{part}"]


def test_the_artifact_says_how_many_answers_and_how_fast(whole: tuple[RunSpec, dict[str, bytes]]) -> None:
    spec, bytes_ = whole
    prefix = planned(spec)[ASKED].prefix
    meta = json.loads(bytes_[f"{prefix}/commit.json"])["meta"]
    assert meta == {"answers": {"miniature": SCENES}, "shards": 6}
    made = read_made(open_store(spec.storage), prefix)
    assert made["answers_per_second"] > 0
    one = read_made(open_store(spec.storage), f"{prefix}/shards/00000")
    assert (one["items"], one["run"]) == (1, spec.name)


def test_a_process_whose_share_is_there_loads_no_model(
    whole: tuple[RunSpec, dict[str, bytes]], small_world: Path, tmp_path: Path
) -> None:
    spec = a_run(tmp_path, small_world)
    make_share = planned(spec)
    run_stage(spec, make_share[ASKED], make_share, Share(0, 2))
    opened = Echo.opened
    again = run_stage(spec, make_share[ASKED], make_share, Share(0, 2))
    assert Echo.opened == opened
    assert again.awaits is not None
    assert again.awaits.missing == (1, 3, 5)


def test_scoring_again_asks_no_model(
    whole: tuple[RunSpec, dict[str, bytes]], small_world: Path, tmp_path: Path
) -> None:
    spec = a_run(tmp_path, small_world)
    make(spec)
    store, before = open_store(spec.storage), planned(spec)
    opened = Echo.opened
    store.delete(f"{before[SCORED].prefix}/commit.json")
    make(spec)
    assert Echo.opened == opened
    assert artifacts(spec) == whole[1]


def test_an_image_that_cannot_be_decoded_is_named(small_world: Path, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(small_world / "benchmark.parquet")
    rows = table.to_pylist()
    rows[4]["image"] = b"no image"
    world = tmp_path / "world"
    world.mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), world / "benchmark.parquet")
    spec = a_run(tmp_path / "run", world)
    with pytest.raises(DataError, match=r"question held-out-00004: image .* cannot be decoded"):
        make(spec)
    assert shards_there(spec) == 2, "the shards before it are kept"


def test_answers_that_are_not_there_are_no_empty_list(tmp_path: Path) -> None:
    with pytest.raises(CorruptArtifact, match="holds no answers to amber"):
        read_shards(tmp_path, "amber")


def test_vllm_is_asked_for_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = parse("model: tiny", ["evaluate.engine=vllm"], folder=tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for stage in (baseline_answers.STAGE, answers.STAGE):
        with pytest.raises(ToolMissing, match=r"is vllm, and the package vllm is not installed"):
            stage.ready(spec)
        stage.ready(parse("model: tiny", folder=tmp_path))


def test_of_what_training_leaves_only_the_model_is_fetched(tmp_path: Path) -> None:
    spec = parse("model: tiny", folder=tmp_path)
    parts = ("model/a.safetensors", "adapter/b.safetensors", "gaps.parquet")
    assert [part for part in parts if answers.STAGE.part("train", part)] == ["model/a.safetensors"]
    assert answers.STAGE.part("world", "benchmark.parquet")
    assert not answers.STAGE.part("world", "llava/model.safetensors")
    assert baseline_answers.STAGE.part("world", "llava/model.safetensors")
    assert not baseline_answers.STAGE.part("world", "preferences.parquet")
    assert plan(spec, (REAL_WORLD, in_shards_of(2)))[ASKED].inputs == ("world",)
