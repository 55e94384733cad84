"""A run: what is made is reused, what fails says so in one line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import small_pipeline
from small_runs import PROGRAM, Said, artifacts, spec_of, store_of, worked

from dama.errors import CorruptArtifact, MissingInput, SpecError, StageFailed, ToolMissing
from dama.spec.load import parse
from dama.stages.base import plan, run_stage
from dama.stages.made import read_made
from dama.stages.pipeline import run_one
from dama.stages.publish import report_page
from dama.storage.commit import delete_artifact, read_commit
from dama.storage.s3 import s3_client
from dama.storage.uri import open_store


def test_every_stage_is_made_once_in_order(tmp_path: Path, notes: Path) -> None:
    spec = spec_of(tmp_path)
    first = Said(spec)
    assert first.made() == ["extra", "data", "train", "report"]
    assert worked(notes) == ["data", "extra", "report", "train"]
    second = Said(spec)
    assert second.made() == []
    assert [one.planned.stage.name for one in second.ran] == ["extra", "data", "train", "report"]
    assert len(list(notes.iterdir())) == 4, "no process was started for what is there"
    assert second.text.count("reused") == 4


def test_the_plan_is_said_before_the_work(tmp_path: Path, notes: Path) -> None:
    text = Said(spec_of(tmp_path)).text
    lines = text.splitlines()
    assert lines[0].startswith("run small in ")
    assert [line.split()[:3] for line in lines[1:3]] == [["to", "do", "extra"], ["to", "do", "data"]]
    assert lines[5].startswith("extra: makes extra")
    assert lines[6].strip().startswith("done in")


def test_a_change_makes_again_only_what_depends_on_it(tmp_path: Path, notes: Path) -> None:
    Said(spec_of(tmp_path))
    again = Said(spec_of(tmp_path, "train.seed=5"))
    assert again.made() == ["train", "report"]
    spec = spec_of(tmp_path, "train.seed=5")
    whole = plan(spec, small_pipeline.STAGES)
    out = store_of(spec).get_bytes(f"{whole['report'].prefix}/out.txt").decode()
    assert out == "report(data() seed 0,train(data() seed 5) seed 5) seed 5".replace(
        "data() seed 5", "data() seed 0"
    )


def test_a_stage_that_the_run_has_not_is_left_out(tmp_path: Path, notes: Path) -> None:
    text = "model: {kind: local, path: m}\ndata: {kind: miniature}\nhardness: null\nmethod: dpo\nworld: {}"
    assert "extra" in plan(parse(text, folder=tmp_path), small_pipeline.STAGES)
    without = text.replace("world: {}", "").replace("miniature", "jsonl, uri: d.jsonl")
    assert "extra" not in plan(parse(without, folder=tmp_path), small_pipeline.STAGES)


def test_the_run_keeps_its_frozen_file_records_report_and_summary(tmp_path: Path, notes: Path) -> None:
    spec = spec_of(tmp_path)
    Said(spec)
    store = store_of(spec)
    assert parse(store.get_bytes("runs/small/run.yaml").decode(), folder=Path("/")) == spec
    assert store.get_bytes("runs/small/report/report.html") == b"<p>all is well</p>"
    assert json.loads(store.get_bytes("runs/small/summary.json")) == {"name": "small"}
    assert report_page(store, "small") == str(
        tmp_path / "store" / "runs" / "small" / "report" / "report.html"
    )
    whole = plan(spec, small_pipeline.STAGES)
    record = json.loads(store.get_bytes("runs/small/stages/train.json"))
    commit = read_commit(store, whole["train"].prefix)
    assert commit is not None
    assert record.pop("seconds") > 0
    assert record == {
        "stage": "train",
        "artifact": whole["train"].prefix,
        "digest": commit.digest(),
        "reused": False,
    }
    assert read_made(store, whole["train"].prefix)["stage"] == "train"
    Said(spec)
    assert json.loads(store.get_bytes("runs/small/stages/train.json"))["reused"] is True


def test_another_run_of_the_same_name_starts_with_an_empty_folder(tmp_path: Path, notes: Path) -> None:
    spec = spec_of(tmp_path)
    Said(spec)
    store = store_of(spec)
    store.put_bytes("runs/small/report/old.png", b"x")
    Said(spec)
    assert store.size("runs/small/report/old.png") is None, "the folder holds this report and nothing else"
    store.put_bytes("runs/small/old.json", b"x")
    store.put_bytes("runs/small/tensorboard/0123/events", b"x")
    other = spec_of(tmp_path, "train.seed=1")
    Said(other)
    assert store.size("runs/small/old.json") is None
    assert store.size("runs/small/tensorboard/0123/events") == 1, "curves are kept nowhere else"
    assert parse(store.get_bytes("runs/small/run.yaml").decode(), folder=Path("/")) == other


def test_what_a_later_stage_lacks_is_said_before_any_work(tmp_path: Path, notes: Path) -> None:
    spec = spec_of(tmp_path, "train.report_to=[wandb]")
    with pytest.raises(ToolMissing, match="names wandb, and no such package is installed"):
        Said(spec)
    assert read_commit(store_of(spec), plan(spec, small_pipeline.STAGES)["data"].prefix) is None


def test_a_failed_stage_stops_the_run_and_says_how_to_repeat(
    tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = spec_of(tmp_path)
    monkeypatch.setenv("MISBEHAVE", "train=fail")
    with pytest.raises(StageFailed, match="stage 'train' failed with exit code 1") as caught:
        Said(spec)
    assert "`dama stage train run.yaml` repeats it" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == "small: error: row 7 is wrong\n"
    assert worked(notes) == ["data", "extra", "train"]
    assert store_of(spec).size("runs/small/summary.json") is None
    monkeypatch.delenv("MISBEHAVE")
    assert Said(spec).made() == ["train", "report"]


def test_a_killed_stage_is_named_and_can_be_repeated(
    tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(tmp_path)
    monkeypatch.setenv("MISBEHAVE", "data=kill")
    with pytest.raises(StageFailed, match=r"stage 'data' was ended by SIGKILL \(is memory short\?\)"):
        Said(spec)
    monkeypatch.delenv("MISBEHAVE")
    assert Said(spec).made() == ["data", "train", "report"]
    undisturbed = spec_of(tmp_path / "undisturbed")
    Said(undisturbed)
    assert artifacts(spec) == artifacts(undisturbed), "the same work elsewhere leaves the same bytes"
    assert len(artifacts(spec)) == 10


def test_one_stage_alone_names_the_input_it_misses(tmp_path: Path, notes: Path) -> None:
    spec = spec_of(tmp_path)
    says = r"stage 'train' reads what stage 'data' makes.* run `dama stage data mine\.yaml` first"
    with pytest.raises(MissingInput, match=says):
        run_one(spec, "train", small_pipeline.STAGES, program=PROGRAM, typed="mine.yaml")
    run_one(spec, "data", small_pipeline.STAGES, program=PROGRAM)
    assert run_one(spec, "train", small_pipeline.STAGES, program=PROGRAM).reused is False
    assert run_one(spec, "train", small_pipeline.STAGES, program=PROGRAM).reused is True


def test_a_stage_that_is_not_there_is_named(tmp_path: Path) -> None:
    says = "no stage is called 'trian'; wanted extra, data, train, report; did you mean 'train'?"
    with pytest.raises(SpecError, match=re.escape(says)):
        run_one(spec_of(tmp_path), "trian", small_pipeline.STAGES)
    text = "model: {kind: local, path: m}\ndata: {kind: jsonl, uri: d}"
    with pytest.raises(StageFailed, match=r"this run has no stage 'extra'.* see `dama validate mine\.yaml`"):
        run_one(parse(text, folder=tmp_path), "extra", small_pipeline.STAGES, typed="mine.yaml")


def test_a_run_can_keep_everything_in_s3(
    tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.server import ThreadedMotoServer

    monkeypatch.setenv("RUN_KEY", "key")
    monkeypatch.setenv("RUN_SECRET", "secret")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        keys = "keys: {access_key: RUN_KEY, secret_key: RUN_SECRET}"
        storage = (
            f"{{uri: s3://runs-bucket/x, endpoint_url: 'http://{host}:{port}', path_style: true, {keys}}}"
        )
        spec = spec_of(tmp_path, f"storage={storage}")
        s3_client(spec.storage).create_bucket(Bucket="runs-bucket")
        assert Said(spec).made() == ["extra", "data", "train", "report"]
        assert Said(spec).made() == []
        there = artifacts(spec)
        page = report_page(open_store(spec.storage), "small")
    finally:
        server.stop()
    assert page == "s3://runs-bucket/x/runs/small/report/report.html"
    local = spec_of(tmp_path)
    Said(local)
    assert there == artifacts(local)


def test_a_corrupt_input_stops_the_stage_that_reads_it(tmp_path: Path, notes: Path) -> None:
    spec = spec_of(tmp_path)
    Said(spec)
    whole, store = plan(spec, small_pipeline.STAGES), store_of(spec)
    store.put_bytes(f"{whole['data'].prefix}/out.txt", b"data() seed 1")
    delete_artifact(store, whole["train"].prefix)
    with pytest.raises(CorruptArtifact, match=r"out\.txt has other bytes"):
        run_stage(spec, whole["train"], whole)
