"""A run file and its overrides, read into a RunSpec; every problem at once, each with its path."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from dama.errors import Problem, SpecError
from dama.spec.nearest import nearest
from dama.spec.paths import absolute
from dama.spec.presets import METHODS, MODELS, NONE, SPLITTERS
from dama.spec.problems import validated
from dama.spec.run import RunSpec

_TAGS = ("kind", "engine", "name")
"""Keys that say which of several forms a part has."""


def load(path: Path, overrides: Sequence[str] = (), *, here: bool = True) -> RunSpec:
    """Read the run file at `path`, with overrides like `train.seed=1` on top.

    Relative paths in it start at the run file's folder, unless it is not meant for this machine (`here`).
    Raises SpecError with every problem.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError([Problem("(file)", f"cannot be read: {error}")], str(path)) from error
    return parse(text, overrides, folder=path.resolve().parent if here else None, source=str(path))


def parse(
    text: str, overrides: Sequence[str] = (), *, folder: Path | None, source: str = "run file"
) -> RunSpec:
    """Read a run file's text; `folder` is where its relative paths start, None leaves them as they are."""
    try:
        raw = read_yaml(text)
    except yaml.YAMLError as error:
        raise SpecError([Problem("(file)", f"not YAML: {' '.join(str(error).split())}")], source) from error
    if not isinstance(raw, dict):
        found = "empty" if raw is None else f"a {type(raw).__name__}"
        raise SpecError([Problem("(file)", found, wanted="keys like `model:` and `data:`")], source)
    layers, problems = [raw], []
    for item in overrides:
        try:
            layers.append(_override(item))
        except ValueError as error:
            problems.append(Problem(f"--set {item}", str(error), do="write --set train.seed=1"))
    if problems:
        raise SpecError(problems, source)
    spec = validated(_merged(layers, source), source)
    return spec if folder is None else absolute(spec, folder)


def dump(spec: RunSpec) -> str:
    """Write `spec` as a run file; same spec, same bytes."""
    return yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)


def read_yaml(text: str) -> Any:  # noqa: ANN401 - a YAML tree
    """Return what `text` says: safe types only, no key twice, `5e-7` a number as in YAML 1.2."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, refusing a key that is written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue  # `<<` is no key but YAML's own way to include
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable):
                if key in seen:
                    raise yaml.YAMLError(
                        f"key '{key}' is written twice (line {key_node.start_mark.line + 1})"
                    )
                seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(  # YAML 1.1 wants a point in such a number, and people leave it out
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?([0-9]+|[0-9]*\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def _override(item: str) -> dict[str, Any]:
    """Return `a.b=c` as {"a": {"b": c}}, c typed as YAML would; ValueError says what is wrong with it."""
    path, equals, text = item.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise ValueError("not KEY.KEY=VALUE")
    try:
        value: Any = read_yaml(text)
    except yaml.YAMLError as error:
        raise ValueError(f"the value is not YAML: {' '.join(str(error).split())}") from error
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def _merged(layers: list[dict[str, Any]], source: str) -> dict[str, Any]:
    """Lay the layers over the preset that their last `model: WORD` names."""
    problems = []
    merged: dict[str, Any] = {}
    last = max((i for i, layer in enumerate(layers) if isinstance(layer.get("model"), str)), default=-1)
    if last >= 0:
        word = layers[last]["model"]
        if word not in MODELS:
            wanted = f"{', '.join(MODELS)}, or a model written out"
            problems.append(Problem("model", f"'{word}'", wanted=wanted, do=nearest(word, MODELS)))
        merged = MODELS.get(
            word, {"model": {"kind": "miniature"}, "data": {"kind": "miniature"}, "world": {}}
        )
    layers = _facts_written_out(layers, problems)
    for number, layer in enumerate(layers):
        layer = dict(layer)
        if layer.get("hardness") == NONE:
            layer["hardness"] = None
        if number <= last:  # the word stands for the whole model, so what was written below it goes
            layer.pop("model", None)
        if isinstance(layer.get("method"), str):
            word = layer["method"]
            if word not in METHODS:
                do = nearest(word, METHODS)
                problems.append(Problem("method", f"'{word}'", wanted=", ".join(METHODS), do=do))
                layer["method"] = METHODS[-1]
            layer["method"] = {"name": layer["method"]}
        elif isinstance(layer.get("method"), dict) and "method" not in merged:
            layer["method"] = {"name": "dama", **layer["method"]}
        merged = laid_over(merged, layer)
    if problems:
        raise SpecError([*problems, *_others(merged, source)], source)
    return merged


def _facts_written_out(layers: list[dict[str, Any]], problems: list[Problem]) -> list[dict[str, Any]]:
    """Say in `hardness.facts` what may be left out: rules as its engine, a word for vLLM's model."""
    parts = [_facts_part(layer) or {} for layer in layers]
    named = [part["engine"] for part in parts if "engine" in part]
    engine = named[-1] if named else "rules"
    written = []
    for layer in layers:
        part = _facts_part(layer)
        if part is not None:
            part = part if named else {"engine": engine, **part}
            word = part.get("model")
            if engine == "vllm" and isinstance(word, str):
                if word not in SPLITTERS:
                    wanted = f"{', '.join(SPLITTERS)}, or a model written out"
                    do = nearest(word, SPLITTERS)
                    problems.append(Problem("hardness.facts.model", f"'{word}'", wanted=wanted, do=do))
                part = {**part, "model": SPLITTERS.get(word, SPLITTERS["tiny"])}
            layer = {**layer, "hardness": {**layer["hardness"], "facts": part}}
        written.append(layer)
    return written


def _facts_part(layer: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a layer's `hardness.facts`, None where it has none."""
    hardness = layer.get("hardness")
    facts = hardness.get("facts") if isinstance(hardness, dict) else None
    return facts if isinstance(facts, dict) else None


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two trees; a part whose tag changes replaces the one below, for their keys differ."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            changed = any(tag in old and tag in value and old[tag] != value[tag] for tag in _TAGS)
            merged[key] = dict(value) if changed else laid_over(old, value)
        elif isinstance(old, list) and isinstance(value, dict) and _items(value, old):
            merged[key] = [_item_over(item, value.get(str(i))) for i, item in enumerate(old)]
        else:
            merged[key] = value
    return merged


def _items(above: Mapping[str, Any], below: list[Any]) -> bool:
    """Say whether `above` names items of the list below it, as `--set a.0.b=c` does."""
    return all(str(key).isdecimal() and int(key) < len(below) for key in above)


def _item_over(below: Any, above: Any) -> Any:  # noqa: ANN401 - YAML trees
    if above is None:
        return below
    return laid_over(below, above) if isinstance(below, dict) and isinstance(above, dict) else above


def _others(merged: dict[str, Any], source: str) -> list[Problem]:
    """Return what else is wrong, besides a preset's name."""
    try:
        validated(merged, source)
    except SpecError as error:
        return error.problems
    return []
