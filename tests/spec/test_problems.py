"""Everything wrong with a run file is said at once, with its path, what was found and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_load import LOCAL, problems

from dama.errors import SpecError
from dama.spec.load import load, parse


def test_all_problems_come_at_once_with_their_paths() -> None:
    text = """
model: llava-7b
method: {name: dama, keep: 20, gamma: 1.5}
train: {batch: 15, sed: 1, epochs: many, device: cpu}
storage: {uri: ftp://host/x}
name: My Run
surprise: 1
"""
    found = problems(text)
    assert set(found) == {
        "method.gamma",
        "train.sed",
        "train.epochs",
        "storage.uri",
        "name",
        "surprise",
        "train.batch",
        "method.keep",
        "train.dtype",
    }
    assert "1.5" in found["method.gamma"]
    assert "less than or equal to 1" in found["method.gamma"]
    assert "no such key" in found["train.sed"]
    assert "'many'; wanted a valid number" in found["train.epochs"]
    assert "unknown scheme 'ftp://'" in found["storage.uri"]
    assert "= 16; set train.batch=16" in found["train.batch"]
    assert "at most 15 (train.batch)" in found["method.keep"]
    assert "set train.dtype=float32" in found["train.dtype"]


@pytest.mark.parametrize(
    ("change", "path", "says"),
    [
        ("train.batch=12", "train.batch", "12 is not ranks 4"),
        ("train.ranks=3", "train.batch", "= 12; set train.batch=12"),
        ("method.keep=17", "method.keep", "17 kept of a batch of 16"),
        ("cluster.nodes=3", "cluster.nodes", "4 ranks cannot be spread evenly over 3 nodes"),
        ("cluster.gpus=3", "cluster.gpus", "3 GPUs a node; wanted 4"),
        ("cluster={nodes: 2, gpus: 4}", "cluster.gpus", "wanted 2: 4 ranks on 2 node(s)"),
        ("train={device: cpu, dtype: float32, zero: {offload: true}}", "train.zero.offload", "offload"),
        ("hardness=null", "hardness", "method 'dama' reads alpha_data"),
        ("data={kind: miniature}", "data.kind", "add `world: {}`"),
        ("hardness.scorer={engine: miniature}", "hardness.scorer.engine", "add `world: {}`"),
        ("evaluate.benchmarks=[{kind: miniature}]", "evaluate.benchmarks", "add `world: {}`"),
    ],
)
def test_rules_across_parts(change: str, path: str, says: str) -> None:
    found = problems("model: llava-7b", change)
    assert list(found) == [path]
    assert says in found[path]


def test_rules_that_hold_are_quiet() -> None:
    def read(*overrides: str) -> None:
        parse("model: llava-7b", overrides, folder=Path("/x"))

    read("cluster={nodes: 2, gpus: 2}")
    read("hardness=null", "method=mdpo")
    read("method.keep=16")
    read("train={ranks: 2, per_device_batch: 2, accumulation: 4}")
    read("train={device: cpu, dtype: float32}", "cluster.gpus=0")


def test_more_scenes_than_are_held_out_are_refused() -> None:
    found = problems("model: tiny", "world.held_out=10", "evaluate.benchmarks.0.scenes=11")
    assert list(found) == ["evaluate.benchmarks"]
    assert "11 scenes asked for, and the world holds out 10" in found["evaluate.benchmarks"]


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        ("", "(file)", "empty"),
        ("- a\n- b", "(file)", "a list"),
        ("just words", "(file)", "a str"),
        ("model: [", "(file)", "not YAML"),
        ("model: tiny\nmodel: llava-7b", "(file)", "'model' is written twice (line 2)"),
        ("model: tiny\ntrain:\n  seed: 1\n  seed: 2", "(file)", "'seed' is written twice (line 4)"),
        ("model: !!python/object/apply:os.system [ls]", "(file)", "not YAML"),
        ("model: llava-70b", "model", "'llava-70b'; wanted llava-7b, llava-13b, tiny"),
        ("model: tiny\nmethod: ppo", "method", "'ppo'; wanted dpo, d2po, mdpo, dama"),
        ("model: tiny\nmethod: {name: ppo}", "method.name", "'ppo'; wanted dpo, d2po, mdpo, dama"),
        ("model: llava-7", "model", "or a model written out; did you mean 'llava-7b'?"),
        ("model: tiny\nmethod: DAMA", "method", "mdpo, dama; did you mean 'dama'?"),
        (
            "model: tiny\nhardness: {facts: {engine: vllm, model: lama-3-8b}}",
            "hardness.facts.model",
            "did you mean 'llama-3-8b'?",
        ),
        (
            "model: tiny\nevaluate: {benchmarks: [{kind: object-halbnech, data: x}]}",
            "evaluate.benchmarks.0.kind",
            "did you mean 'object-halbench'?",
        ),
        ("model: tiny\nhardness: {facts: {engine: rule}}", "hardness.facts.engine", "did you mean 'rules'?"),
        ("model: tiny\nmethod: {name: dpo, keep: 3}", "method.keep", "no such key"),
        ("model: tiny\nmethod: 3", "method", "3; wanted"),
        ("model: tiny\ntrain: null", "train", "None; wanted keys of its own"),
        ("model: tiny\ntrain: fast", "train", "'fast'; wanted keys of its own"),
        ("model: tiny\ndata: {kind: csv}", "data.kind", "'csv'; wanted rlaif-v, jsonl"),
        ("model: {path: m}\ndata: {kind: jsonl, uri: x}", "model", "no 'kind'"),
        ("model: {kind: local}\ndata: {kind: jsonl, uri: x}", "model.path", "missing"),
        (
            "model: {kind: local, path: s3://bucket/m}\ndata: {kind: jsonl, uri: x}",
            "model.path",
            "scheme 's3://'",
        ),
        ("model: {kind: hub, id: nobody}\ndata: {kind: jsonl, uri: x}", "model.id", "'nobody'"),
        ("model: {kind: local, path: m}", "data", "missing"),
        ("model: tiny\nevaluate: {rules: 1}", "evaluate.rules", "no such key"),
        (
            "model: tiny\nevaluate: {benchmarks: [{kind: miniature, scenes: 0}]}",
            "evaluate.benchmarks.0.scenes",
            "0",
        ),
        ("model: tiny\ntrain: {learning_rate: .inf}", "train.learning_rate", "finite"),
        ("model: tiny\ntrain: {seed: 1.5}", "train.seed", "1.5"),
        ("model: tiny\ntrain: {warmup: -0.1}", "train.warmup", "-0.1"),
        ("model: tiny\nname: a_b", "name", "'a_b'"),
        ("model: tiny\nstorage: {uri: ''}", "storage.uri", "cannot be empty"),
        ("model: tiny\nstorage: {uri: s3://B}", "storage.uri", "not well formed"),
        ("model: tiny\nstorage: {uri: hf://a/b}", "storage.uri", "unknown scheme 'hf://'"),
        ("model: llava-7b\ndata: {uri: 'hf://only-owner'}", "data.uri", "hf://owner/name@revision"),
        ("model: tiny\n1: x", "1", ""),
    ],
)
def test_each_problem_has_its_path(text: str, path: str, says: str) -> None:
    found = problems(text)
    assert list(found) == [path]
    assert says in found[path]


def test_rules_are_checked_even_where_other_parts_are_wrong_or_missing() -> None:
    assert set(problems("train: {batch: 15}\nmethod: {keep: 16}")) == {
        "model",
        "data",
        "train.batch",
        "method.keep",
    }
    found = problems("model: nonsense\ndata: {kind: jsonl}\nmethod: ppo\ntrain: {batch: 15}")
    assert set(found) == {"model", "data.uri", "method", "train.batch"}
    benchmarks = "evaluate: {benchmarks: [{kind: miniature, scenes: -1}]}"
    assert set(problems(f"{LOCAL}{benchmarks}\ntrain: {{batch: 15}}")) == {
        "evaluate.benchmarks.0.scenes",
        "train.batch",
    }


def test_a_rule_is_not_blamed_for_a_part_that_is_wrong_itself() -> None:
    assert set(problems(LOCAL, "train.ranks=none", "train.per_device_batch=2")) == {"train.ranks"}


@pytest.mark.parametrize(
    "change",
    [
        "storage.keys={access_key: AKIA/SECRET+1, secret_key: NAME}",
        "storage.keys=AKIA/SECRET+1",
        "storage.endpoint_url=https://user:AKIA/SECRET+1@host",
        "storage.endpoint_url=https://user:SECRET@host",
        "storage.access_key=AKIA/SECRET+1",
    ],
)
def test_what_may_be_a_key_is_not_shown(change: str) -> None:
    for text in problems("model: tiny", change).values():
        assert "SECRET" not in text


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    for name, says in (("none.yaml", "No such file"), ("bytes.yaml", "decode"), ("", "directory")):
        with pytest.raises(SpecError, match=says) as caught:
            load(tmp_path / name)
        assert str(tmp_path) in str(caught.value)
        assert "\n" not in str(caught.value)
