"""A run file and its overrides, read into a RunSpec; every problem at once, each with its path."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from dama.errors import Problem, SpecError
from dama.spec.paths import absolute
from dama.spec.presets import METHODS, MODELS
from dama.spec.rules import BrokenRules
from dama.spec.run import RunSpec

_TAGS = ("kind", "engine", "name")


def load(path: Path, overrides: Sequence[str] = ()) -> RunSpec:
    """Read the run file at `path`, with overrides like `train.seed=1` on top.

    Relative paths in it start at the run file's folder. Raises SpecError with every problem.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError([Problem("(file)", f"cannot be read: {error}")], str(path)) from error
    return parse(text, overrides, folder=path.resolve().parent, source=str(path))


def parse(text: str, overrides: Sequence[str] = (), *, folder: Path, source: str = "run file") -> RunSpec:
    """Read a run file's text; `folder` is where its relative paths start."""
    try:
        raw = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader that also refuses repeated keys
    except yaml.YAMLError as error:
        raise SpecError([Problem("(file)", f"not YAML: {' '.join(str(error).split())}")], source) from error
    if not isinstance(raw, dict):
        found = "empty" if raw is None else f"a {type(raw).__name__}"
        raise SpecError([Problem("(file)", found, wanted="keys like `model:` and `data:`")], source)
    layers = [raw, *(_override(item, source) for item in overrides)]
    return absolute(_validate(_merged(layers, source), source), folder)


def dump(spec: RunSpec) -> str:
    """Write `spec` as a run file; same spec, same bytes."""
    return yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, refusing a key that is written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable):
                if key in seen:
                    raise yaml.YAMLError(
                        f"key '{key}' is written twice (line {key_node.start_mark.line + 1})"
                    )
                seen.add(key)
        return super().construct_mapping(node, deep)


def _override(item: str, source: str) -> dict[str, Any]:
    """Return `a.b=c` as {"a": {"b": c}}, c typed as YAML would."""
    path, equals, text = item.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise SpecError(
            [Problem(f"--set {item}", "not KEY.KEY=VALUE", do="write --set train.seed=1")], source
        )
    try:
        value: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SpecError([Problem(f"--set {item}", f"value is not YAML: {error}")], source) from error
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def _merged(layers: list[dict[str, Any]], source: str) -> dict[str, Any]:
    """Lay the layers over the preset that their last `model: WORD` names."""
    words = [layer["model"] for layer in layers if isinstance(layer.get("model"), str)]
    problems = []
    merged: dict[str, Any] = {}
    if words:
        if words[-1] not in MODELS:
            problems.append(
                Problem("model", f"'{words[-1]}'", wanted=f"{', '.join(MODELS)}, or a model written out")
            )
        merged = MODELS.get(words[-1], {"model": {}})
    for layer in layers:
        layer = dict(layer)
        if isinstance(layer.get("model"), str):
            del layer["model"]
        if isinstance(layer.get("method"), str):
            if layer["method"] not in METHODS:
                problems.append(Problem("method", f"'{layer['method']}'", wanted=", ".join(METHODS)))
            layer["method"] = {"name": layer["method"]}
        merged = _laid_over(merged, layer)
    if problems:
        raise SpecError(problems, source)
    method = merged.get("method")
    if isinstance(method, dict) and "name" not in method:
        merged = {**merged, "method": {"name": "dama", **method}}
    return merged


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two trees; a part whose tag changes replaces the one below, for their keys differ."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            changed = any(tag in old and tag in value and old[tag] != value[tag] for tag in _TAGS)
            merged[key] = dict(value) if changed else _laid_over(old, value)
        else:
            merged[key] = value
    return merged


def _validate(raw: dict[str, Any], source: str) -> RunSpec:
    try:
        return RunSpec.model_validate(raw)
    except ValidationError as error:
        problems = _problems(error)
        wrong = {problem.path for problem in problems}
        if not any(isinstance(e.get("ctx", {}).get("error"), BrokenRules) for e in error.errors()):
            problems += _rules_beside(raw, error, wrong)
        raise SpecError(problems, source) from None


def _rules_beside(raw: dict[str, Any], error: ValidationError, wrong: set[str]) -> list[Problem]:
    """Check the rules across parts as far as the parts are right: drop what is wrong, then look again."""
    trimmed = _without(raw, [_keys(raw, detail["loc"]) for detail in error.errors()])
    try:
        RunSpec.model_validate(trimmed)
    except ValidationError as second:
        for detail in second.errors():
            rules = detail.get("ctx", {}).get("error")
            if isinstance(rules, BrokenRules):
                return [
                    rule.problem
                    for rule in rules.broken
                    if not any(
                        path == bad or path.startswith(bad + ".") for path in rule.looked_at for bad in wrong
                    )
                ]
    return []


def _without(raw: dict[str, Any], drop: list[tuple[str | int, ...]]) -> dict[str, Any]:
    def rebuilt(value: Any, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - a YAML tree
        if isinstance(value, dict):
            return {k: rebuilt(v, (*path, k)) for k, v in value.items() if (*path, k) not in drop}
        return value

    return dict(rebuilt(raw, ()))


def _keys(raw: object, loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return pydantic's location without the tags of unions, which are no keys of the file."""
    keys: list[str | int] = []
    here: object = raw
    for index, step in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(here, dict):
            if step in here or last:
                keys.append(step)
                here = here.get(step)
        elif isinstance(here, list | tuple) and isinstance(step, int):
            keys.append(step)
            here = here[step] if step < len(here) else None
    return tuple(keys)


def _problems(error: ValidationError) -> list[Problem]:
    problems = []
    for detail in error.errors():
        rules = detail.get("ctx", {}).get("error")
        if isinstance(rules, BrokenRules):
            problems += [rule.problem for rule in rules.broken]
            continue
        path = ".".join(str(step) for step in _keys_of(detail)) or "(file)"
        found, kind, message = detail["input"], detail["type"], detail["msg"]
        if kind == "extra_forbidden":
            problems.append(
                Problem(path, "no such key", do="remove it or mend its spelling (see `dama schema`)")
            )
        elif kind == "missing":
            problems.append(Problem(path, "missing", wanted="a value", do="add it (see `dama schema`)"))
        elif kind == "union_tag_not_found":
            tag = str(detail.get("ctx", {}).get("discriminator", "kind")).strip("'")
            problems.append(Problem(path, f"no '{tag}'", wanted=f"a key '{tag}' that says which kind it is"))
        else:
            shown = repr(found) if len(repr(found)) <= 80 else repr(found)[:77] + "..."
            if kind == "value_error":
                problems.append(Problem(path, f"{shown} is wrong: {message.removeprefix('Value error, ')}"))
                continue
            wanted = message.removeprefix("Input should be ")
            problems.append(Problem(path, shown, wanted=wanted))
    return problems


def _keys_of(detail: Any) -> list[str | int]:  # noqa: ANN401 - pydantic's ErrorDetails
    tags = {"hub", "local", "miniature", "rlaif-v", "jsonl", "conversations", "open_clip", "rules"}
    tags |= {*METHODS, "product", "weighted_sum"}
    loc = detail["loc"]
    return [step for i, step in enumerate(loc) if i == 0 or step not in tags]
