"""The run file as JSON Schema, as a person writes it: words may stand for models and a method."""

from __future__ import annotations

from typing import Any

from dama.spec.presets import METHODS, MODELS, NONE, SPLITTERS
from dama.spec.run import RunSpec

_PAGE = "https://json-schema.org/draft/2020-12/schema"


def run_file_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the run file."""
    schema = _widened(RunSpec.model_json_schema())
    parts = schema["properties"]
    parts["model"] = _or_word(parts["model"], MODELS)
    parts["method"] = _or_word(parts["method"], METHODS)
    parts["hardness"] = _or_word(parts["hardness"], [NONE])
    splitter = schema["$defs"]["VllmFacts"]["properties"]
    splitter["model"] = _or_word(splitter["model"], SPLITTERS)
    schema["required"] = ["model"]
    written_out = {"properties": {"model": {"type": "object"}}, "required": ["model"]}
    schema["if"] = written_out
    schema["then"] = {  # a preset brings data; without one they are asked for, and must say what they are
        "required": ["data"],
        "properties": {"model": {"required": ["kind"]}, "data": {"required": ["kind"]}},
    }
    return {"$schema": _PAGE, "title": "dama run file", **{k: v for k, v in schema.items() if k != "title"}}


def _or_word(part: dict[str, Any], words: Any) -> dict[str, Any]:  # noqa: ANN401 - any collection of words
    described: dict[str, Any] = {key: part[key] for key in ("description", "default") if key in part}
    written = {key: value for key, value in part.items() if key not in described}
    return {**described, "anyOf": [{"enum": list(words)}, written]}


def _widened(tree: Any) -> Any:  # noqa: ANN401 - a JSON tree
    """Let a part of a union leave out its tag: a preset or the default below it may bring the tag."""
    if isinstance(tree, list):
        return [_widened(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    widened = {key: _widened(value) for key, value in tree.items() if key != "discriminator"}
    if "oneOf" in widened:
        widened["anyOf"] = widened.pop("oneOf")
    return widened
