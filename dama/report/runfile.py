"""The frozen run file as a page shows it: without places of this machine, so that it can be passed on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import yaml

from dama.spec.run import RunSpec


def shown_parts(spec: RunSpec) -> dict[str, Any]:
    """Return the run file as JSON, without `storage` and with local paths cut to their last step."""
    raw = spec.model_dump(mode="json")
    del raw["storage"]
    return without_places(raw)


def without_places(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return JSON with local paths cut to their last step."""
    return {key: _shortened(value) for key, value in raw.items()}


def shown(spec: RunSpec) -> str:
    """Return the run file as YAML; same numbers, same bytes, wherever the folders lie."""
    return yaml.safe_dump(shown_parts(spec), sort_keys=False, allow_unicode=True, width=100)


def _shortened(value: Any) -> Any:  # noqa: ANN401 - a JSON tree
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, str) and (value.startswith("/") or value.startswith("file://")):
        return f"…/{PurePath(value.removeprefix('file://')).name}"
    return value
