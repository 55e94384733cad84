"""The JSON Schema says of a run file what reading it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from test_load import LOCAL

from dama.spec.load import read_yaml
from dama.spec.presets import METHODS, MODELS
from dama.spec.schema import run_file_schema

RUNS = Path(__file__).parent.parent / "runs"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return run_file_schema()


def _fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, part in {"run": schema, **schema["$defs"]}.items():
        for key, field in part.get("properties", {}).items():
            yield f"{name}.{key}", field


def test_every_field_is_described(schema: dict[str, Any]) -> None:
    fields = dict(_fields(schema))
    assert len(fields) > 80
    assert [path for path, field in fields.items() if not field.get("description", "").strip()] == []


def test_every_part_is_described_and_refuses_unknown_keys(schema: dict[str, Any]) -> None:
    for name, part in schema["$defs"].items():
        assert part.get("description"), name
        assert part["additionalProperties"] is False, name
    assert schema["additionalProperties"] is False


def test_it_is_a_schema_and_json(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema


def _accepts(schema: dict[str, Any], text: str) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(read_yaml(text)))


@pytest.mark.parametrize("file", sorted(RUNS.glob("*.yaml")), ids=lambda file: file.stem)
def test_it_accepts_the_example_run_files(schema: dict[str, Any], file: Path) -> None:
    jsonschema.Draft202012Validator(schema).validate(read_yaml(file.read_text()))


@pytest.mark.parametrize("word", MODELS)
def test_it_knows_the_models(schema: dict[str, Any], word: str) -> None:
    assert _accepts(schema, f"model: {word}")


@pytest.mark.parametrize("word", METHODS)
def test_it_knows_the_methods(schema: dict[str, Any], word: str) -> None:
    assert _accepts(schema, f"model: tiny\nmethod: {word}")
    assert _accepts(schema, f"{LOCAL}method: {{name: {word}, beta: 0.2}}")


@pytest.mark.parametrize(
    "text",
    [
        "model: tiny\nmethod: {keep: 8}",
        "model: llava-7b\ndata: {limit: 10}",
        "model: llava-7b\ndata: {uri: x}",
        "model: tiny\nhardness: {scorer: {batch: 3}}",
        "model: tiny\nhardness: null",
        "model: {kind: hub, id: a/b}\ndata: {kind: jsonl, uri: x}",
    ],
)
def test_it_accepts_what_is_right(schema: dict[str, Any], text: str) -> None:
    assert _accepts(schema, text)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "model: llava-70b",
        "model: {kind: local, path: m}",
        "model: {path: m}\ndata: {kind: jsonl, uri: x}",
        "model: {kind: local, path: m}\ndata: {uri: x}",
        "model: tiny\nsurprise: 1",
        "model: tiny\ntrain: {sed: 1}",
        "model: tiny\ntrain: {seed: -1}",
        "model: tiny\ntrain: {zero: {stage: 4}}",
        "model: tiny\ndata: {kind: csv}",
        "model: tiny\nmethod: ppo",
        "model: tiny\nmethod: {name: dpo, keep: 3}",
        "model: tiny\nmethod: {gamma: 2}",
        "model: tiny\nname: My Run",
        "model: tiny\nevaluate: {benchmarks: [{kind: other}]}",
    ],
)
def test_it_refuses_what_is_wrong(schema: dict[str, Any], text: str) -> None:
    assert not _accepts(schema, text)
