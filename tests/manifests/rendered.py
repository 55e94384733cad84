"""Objects that a run file is rendered to, and how tests find one among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from run_specs import run_spec

from dama.manifests.render import render


def rendered(text: str = "model: llava-7b", *overrides: str) -> list[dict[str, Any]]:
    return render(run_spec(text, overrides))


def of_kind(objects: list[dict[str, Any]], kind: str, part: str = "") -> dict[str, Any]:
    found = [one for one in objects if one["kind"] == kind and part in one["metadata"]["name"]]
    assert len(found) == 1, (kind, part)
    return found[0]


def pods_of(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every pod template in the objects, with where it stands."""
    for one in objects:
        stack = [(one["kind"], one)]
        while stack:
            place, tree = stack.pop()
            if isinstance(tree, dict):
                if "containers" in tree.get("spec", {}) and "metadata" in tree:
                    yield place, tree
                stack += [(f"{place}.{key}", value) for key, value in tree.items()]
            elif isinstance(tree, list):
                stack += [(f"{place}.{number}", value) for number, value in enumerate(tree)]
