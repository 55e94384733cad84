"""What the chart knows of run files, as files: schema, presets, images, and its values with every key.

They are written into the repository by `make manifests`, and a test fails when they are stale.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dama.spec.images import OURS, RUN, UNPUSHED, read_lock
from dama.spec.presets import MODELS, SPLITTERS
from dama.spec.run import RunSpec
from dama.spec.schema import run_file_schema
from dama.spec.storage import StorageSpec

DEFAULT_MODEL = "llava-7b"
_NUMERIC = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$"
_DIGEST = r"@sha256:[0-9a-f]{64}$"


def chart_files() -> dict[str, str]:
    """Return the generated files of the chart, by their path in it."""
    return {
        "values.yaml": values(),
        "values.schema.json": _json(values_schema()),
        "files/schema.json": _json(_bare(RunSpec.model_json_schema())),
        "files/presets.json": _json(_presets()),
        "files/images.json": _json(_images()),
    }


def values_schema() -> dict[str, Any]:
    """Return the schema of the chart's values: the run file's, with numbers as `--set` writes them.

    A preset is always there, since the values name one. Images need their digest unless tags are allowed.
    """
    schema: dict[str, Any] = _texts_for_numbers(run_file_schema())
    for key in ("required", "if", "then"):
        schema.pop(key, None)
    schema["title"] = "values of dama's chart: the run file"
    schema["properties"]["global"] = {"type": "object", "description": "Helm's own; not read."}
    images = {name: {"anyOf": [{"type": "null"}, {"pattern": _DIGEST}]} for name in RUN}
    schema["$defs"]["ImagesSpec"] |= {
        "if": {"properties": {"allow_mutable_tags": {"const": True}}, "required": ["allow_mutable_tags"]},
        "else": {"properties": images},
    }
    return schema


def values() -> str:
    """Return the chart's values.yaml: a model, and every other key with its meaning and its default."""
    lines = [
        "# Values are the run file: what is written here, or set with --set, is what `dama render` reads.",
        "# Everything left out has the default that is shown; a model's preset may bring its own.",
        "# Written by `make manifests` from the same models as `dama schema`: change it there.",
        f"model: {DEFAULT_MODEL}",
        "",
    ]
    schema = RunSpec.model_json_schema()
    for key, part in schema["properties"].items():
        if key != "model":
            lines += [*_described(key, part, schema["$defs"], "# "), "#"]
    return "\n".join(lines).rstrip("#\n") + "\n"


def _described(key: str, part: Mapping[str, Any], defs: Mapping[str, Any], mark: str) -> Iterator[str]:
    """Yield a key, its meaning above it and its default behind it, as lines of a comment."""
    for line in str(part.get("description", "")).splitlines():
        yield f"{mark}# {line}"
    below = defs.get(str(part.get("$ref", "")).removeprefix("#/$defs/"), {}).get("properties")
    if below is None:
        default = json.dumps(part.get("default"), ensure_ascii=False)
        yield f"{mark}{key}: {default}" if "default" in part else f"{mark}{key}:"
        return
    yield f"{mark}{key}:"
    given = part.get("default", {})
    for name, inner in below.items():
        yield from _described(
            name, {**inner, "default": given.get(name, inner.get("default"))}, defs, f"{mark}  "
        )


def _presets() -> dict[str, Any]:
    """Return the words of a run file, and the store's address that stands for none."""
    return {"models": MODELS, "splitters": SPLITTERS, "store": StorageSpec().uri}


def _images() -> dict[str, str]:
    """Return the images of the lock; "" for ours while nobody pushed them."""
    lock = read_lock()
    return {name: "" if name in OURS and lock[name] == UNPUSHED else lock[name] for name in RUN}


def _bare(tree: Any) -> Any:  # noqa: ANN401 - a JSON tree
    """Return a schema without its words for people: the templates read only types and defaults."""
    if isinstance(tree, list):
        return [_bare(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    named = "properties" in tree or "$defs" in tree
    kept = {}
    for key, value in tree.items():
        if key in ("properties", "$defs") and isinstance(value, dict) and named:
            kept[key] = {name: _bare(item) for name, item in value.items()}
        elif key in ("default", "mapping"):
            kept[key] = value
        elif key in _READ:
            kept[key] = _bare(value)
    return kept


_READ = {
    "$ref",
    "anyOf",
    "oneOf",
    "discriminator",
    "propertyName",
    "mapping",
    "type",
    "items",
    "format",
    "title",
}


def _texts_for_numbers(tree: Any) -> Any:  # noqa: ANN401 - a JSON tree
    """Let a number be written as a text, for helm's --set makes one of every number with a point."""
    if isinstance(tree, list):
        return [_texts_for_numbers(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    widened = {key: _texts_for_numbers(value) for key, value in tree.items()}
    if widened.get("type") != "number":
        return widened
    kept = {key: widened.pop(key) for key in ("description", "default", "title") if key in widened}
    return {**kept, "anyOf": [widened, {"type": "string", "pattern": _NUMERIC}]}


def _json(tree: Any) -> str:  # noqa: ANN401 - a JSON tree
    return json.dumps(tree, indent=1, ensure_ascii=False) + "\n"
