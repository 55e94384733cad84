"""What a run file names on this machine and is not there is told, all at once, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from dama.spec.absent import absent
from dama.spec.load import parse

WHOLE = """
model: {kind: local, path: llava}
data: {kind: jsonl, uri: rows.jsonl, images: pictures}
hardness:
  facts: {engine: vllm, model: {kind: local, path: file:///nowhere/qwen}}
  scorer: {engine: open_clip, model: local, weights: ./clip}
evaluate: {benchmarks: [{kind: amber, data: amber, images: coco}]}
"""


def told(folder: Path, text: str = WHOLE, *overrides: str) -> dict[str, str]:
    return {one.problem.path: str(one.problem) for one in absent(parse(text, overrides, folder=folder))}


def filled(folder: Path) -> Path:
    for name in ("llava", "pictures", "clip", "amber", "coco"):
        (folder / name).mkdir()
    (folder / "rows.jsonl").touch()
    return folder


def test_everything_that_is_not_there_is_told_at_once_with_what_to_do(tmp_path: Path) -> None:
    found = told(tmp_path)
    assert list(found) == [
        "model.path",
        "data.uri",
        "data.images",
        "hardness.facts.model.path",
        "hardness.scorer.weights",
        "evaluate.benchmarks.0.data",
        "evaluate.benchmarks.0.images",
    ]
    assert found["data.uri"] == (
        f"data.uri: {tmp_path / 'rows.jsonl'} is not there; wanted one file; put it there, or mend data.uri"
    )
    assert found["hardness.facts.model.path"].startswith(
        "hardness.facts.model.path: /nowhere/qwen is not there; wanted a folder in Hugging Face layout"
    )


def test_what_is_there_is_not_told(tmp_path: Path) -> None:
    filled(tmp_path)
    assert list(told(tmp_path)) == ["hardness.facts.model.path"]
    assert told(tmp_path, WHOLE, "hardness.facts.model.path=llava") == {}


def test_a_file_is_no_folder_and_a_folder_no_file(tmp_path: Path) -> None:
    filled(tmp_path)
    found = told(
        tmp_path, WHOLE, "model.path=rows.jsonl", "data.uri=pictures", "hardness.facts.model.path=clip"
    )
    assert list(found) == ["model.path", "data.uri"]
    assert "rows.jsonl is no folder; wanted a folder in Hugging Face layout" in found["model.path"]
    assert "pictures is a folder; wanted one file" in found["data.uri"]


def test_parquet_and_weights_may_be_one_file_or_a_folder(tmp_path: Path) -> None:
    text = (
        "model: llava-7b\ndata: {kind: rlaif-v, uri: x}\nhardness: {scorer: {model: local, weights: ./x}}\n"
    )
    assert list(told(tmp_path, text)) == ["data.uri", "hardness.scorer.weights"]
    (tmp_path / "x").touch()
    assert told(tmp_path, text) == {}
    (tmp_path / "x").unlink()
    (tmp_path / "x").mkdir()
    assert told(tmp_path, text) == {}


@pytest.mark.parametrize(
    "text",
    [
        "model: tiny",
        "model: llava-7b",
        "model: llava-7b\nstorage: {uri: not-made-yet, scratch: nor-this}",
        "model: llava-7b\nevaluate: {benchmarks: [{kind: amber, data: 'hf://a/b@main', images: 's3://abc/d'}]}",
    ],
)
def test_other_machines_and_what_a_run_makes_are_not_looked_at(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text) == {}


@pytest.mark.parametrize("path", ["/nowhere/models/llava", "/nowhere/models"])
def test_on_a_volume_it_lies_in_the_pods(tmp_path: Path, path: str) -> None:
    volume = "cluster.volumes=[{claim: models, path: /nowhere/models}]"
    spec = parse(WHOLE, [f"model.path={path}", volume], folder=filled(tmp_path))
    assert {one.problem.path: one.in_pods for one in absent(spec)} == {
        "model.path": True,
        "hardness.facts.model.path": False,
    }


def test_what_cannot_be_looked_at_says_so(tmp_path: Path) -> None:
    found = told(tmp_path, f"model: {{kind: local, path: {'x' * 300}}}\ndata: {{kind: jsonl, uri: d}}")
    assert "cannot be looked at (File name too long)" in found["model.path"]
