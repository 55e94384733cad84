"""What pydantic found wrong with a run file, said so that a person can mend it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from dama.errors import Problem, SpecError
from dama.spec.nearest import nearest
from dama.spec.rules import BrokenRules
from dama.spec.run import RunSpec

Keys = tuple[str | int, ...]

_STAND_INS: dict[str, dict[str, Any]] = {
    "model": {"kind": "local", "path": "."},
    "data": {"kind": "jsonl", "uri": "."},
}
"""For the parts that have no default, so that rules across the other parts can still be checked."""
_SEE = "see `dama schema`"


def validated(raw: dict[str, Any], source: str) -> RunSpec:
    """Return the run spec that `raw` holds; SpecError has every problem, those across parts too."""
    try:
        return RunSpec.model_validate(raw)
    except ValidationError as error:
        details = error.errors()
        problems = [problem for detail in details for problem in _told(raw, detail)]
        if not any(_broken(detail) for detail in details):
            problems += _rules_beside(raw, details)
        raise SpecError(problems, source) from None


def _rules_beside(raw: dict[str, Any], details: list[Any]) -> list[Problem]:
    """Check the rules across parts as far as the parts are right: drop what is wrong, then look again."""
    drop = {_keys(raw, detail["loc"])[: -1 if detail["type"] == "missing" else None] for detail in details}
    trimmed = _without(raw, drop - {()})
    wrong = {_path(keys) for keys in drop if keys}
    for name, part in _STAND_INS.items():
        if name not in trimmed:
            trimmed[name] = part
            wrong.add(name)
    try:
        RunSpec.model_validate(trimmed)
    except ValidationError as second:
        for rules in filter(None, (_broken(detail) for detail in second.errors())):
            return [
                rule.problem
                for rule in rules.broken
                if not any(_meets(path, bad) for path in rule.looked_at for bad in wrong)
            ]
    return []


def _meets(path: str, bad: str) -> bool:
    return path == bad or path.startswith(f"{bad}.") or bad.startswith(f"{path}.")


def _broken(detail: Mapping[str, Any]) -> BrokenRules | None:
    found = detail.get("ctx", {}).get("error")
    return found if isinstance(found, BrokenRules) else None


def _without(raw: dict[str, Any], drop: set[Keys]) -> dict[str, Any]:
    def rebuilt(value: Any, path: Keys) -> Any:  # noqa: ANN401 - a YAML tree
        if isinstance(value, dict):
            return {
                key: rebuilt(item, (*path, key)) for key, item in value.items() if (*path, key) not in drop
            }
        if isinstance(value, list):
            kept = [(number, item) for number, item in enumerate(value) if (*path, number) not in drop]
            return [rebuilt(item, (*path, number)) for number, item in kept]
        return value

    return dict(rebuilt(raw, ()))


def _keys(raw: object, loc: Keys) -> Keys:
    """Return pydantic's location without the tags of unions, which are no keys of the file."""
    keys: list[str | int] = []
    here: object = raw
    for index, step in enumerate(loc):
        if isinstance(here, dict):
            if step in here or index == len(loc) - 1:
                keys.append(step)
                here = here.get(step)
        elif isinstance(here, list) and isinstance(step, int):
            keys.append(step)
            here = here[step] if step < len(here) else None
    return tuple(keys)


def _path(keys: Keys) -> str:
    return ".".join(str(key) for key in keys) or "(file)"


def _told(raw: dict[str, Any], detail: Any) -> list[Problem]:  # noqa: ANN401 - pydantic's ErrorDetails
    rules = _broken(detail)
    if rules is not None:
        return [rule.problem for rule in rules.broken]
    path, kind, message = _path(_keys(raw, detail["loc"])), detail["type"], detail["msg"]
    context, shown = detail.get("ctx", {}), _shown(path, detail["input"])
    if kind == "extra_forbidden":
        return [Problem(path, "no such key", do=f"remove it or mend its spelling ({_SEE})")]
    if kind == "missing":
        return [Problem(path, "missing", wanted="a value", do=f"add it ({_SEE})")]
    if kind == "union_tag_not_found":
        tag = str(context.get("discriminator", "kind")).strip("'")
        return [Problem(path, f"no '{tag}'", wanted=f"a key '{tag}' that says which one it is ({_SEE})")]
    if kind == "union_tag_invalid":
        tag = str(context.get("discriminator", "kind")).strip("'")
        word, wanted = str(context.get("tag")), str(context.get("expected_tags")).replace("'", "")
        return [Problem(f"{path}.{tag}", f"'{word}'", wanted=wanted, do=nearest(word, wanted.split(", ")))]
    if kind in ("model_type", "model_attributes_type"):
        return [Problem(path, shown, wanted=f"keys of its own below it ({_SEE})")]
    if kind == "value_error":
        return [Problem(path, f"{shown} {message.removeprefix('Value error, ')}")]
    return [Problem(path, shown, wanted=message.removeprefix("Input should be "))]


def _shown(path: str, found: object) -> str:
    if path.startswith(("storage.keys", "storage.endpoint_url")) or path.endswith("base_url"):
        return "what is written there"  # it may be a key, and keys are shown nowhere
    text = repr(found)
    return text if len(text) <= 80 else f"{text[:77]}..."
