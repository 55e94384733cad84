"""What a run is, in a line each: its model, its data, its method, the software it ran on."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any

from dama.spec.data import MiniatureData
from dama.spec.method import D2po, Dama, Mdpo, WeightedSum
from dama.spec.model import HubModel, LocalModel
from dama.spec.run import RunSpec

_HEX = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
"""A commit or a sha256: its first letters are enough for people."""
_ORDER = {name: place for place, name in enumerate(("model", "weights", "revision", "instruction"))}
"""What an engine is told by first."""
_PACKAGES = ("dama", "torch", "transformers", "deepspeed", "open_clip_torch", "pyarrow", "matplotlib")


def described_model(spec: RunSpec) -> str:
    """Return the model's name and revision."""
    model = spec.model
    if isinstance(model, HubModel):
        revision = model.revision[:8] if len(model.revision) == 40 else model.revision
        return f"{model.id} @ {revision}"
    if isinstance(model, LocalModel):
        return PurePath(model.path).name
    return "tiny LLaVA of the miniature world"


def described_data(spec: RunSpec) -> str:
    """Return where the preferences come from."""
    data = spec.data
    if isinstance(data, MiniatureData):
        return "preferences sampled from the tiny LLaVA"
    place = data.uri if "://" in data.uri and not data.uri.startswith("file://") else PurePath(data.uri).name
    return f"{place} ({data.kind})" + (f", first {data.limit} rows" if data.limit else "")


def described_method(spec: RunSpec) -> str:
    """Return the method's settings that a reader of the figures needs."""
    method, parts = spec.method, [f"β = {spec.method.beta:g}"]
    if isinstance(method, D2po):
        parts.append("β_D = β·α_D")
    if isinstance(method, Mdpo | Dama):
        kept = "all" if method.filter == "none" else f"{method.keep} of {spec.train.batch}"
        how = {
            "both": "nearest R̄",
            "bottom": "lowest dropped",
            "top": "highest dropped",
            "random": "at random",
        }
        parts.append(f"keeps {kept}" + (f" ({how[method.filter]})" if method.filter in how else ""))
        parts.append(f"γ = {method.gamma:g}")
    if isinstance(method, Dama):
        combine = method.combine
        rho = (
            f"β·((1−ρ)·α_M + ρ·α_D), ρ = {combine.rho:g}" if isinstance(combine, WeightedSum) else "β·α_D·α_M"
        )
        parts.append(f"β_C = {rho}")
    if isinstance(method, Mdpo | Dama):
        parts.append(f"{method.reading} reading")
    if spec.train.lora is not None:
        parts.append(f"LoRA of rank {spec.train.lora.rank}")
    return " · ".join(parts)


def described_engine(engine: Mapping[str, Any]) -> str:
    """Return what a splitter or a scorer says of itself, on one line: `open_clip · model ViT-B-32 · …`.

    Its limits, which are numbers, are left out: they stand in the artifact's summary.
    """
    parts = [str(engine["engine"])] if "engine" in engine else []
    for key in sorted(set(engine) - {"engine"}, key=lambda key: (_ORDER.get(key, len(_ORDER)), key)):
        value = engine[key]
        if isinstance(value, Mapping):
            known = [_short(one) for name, one in value.items() if name != "kind" and one is not None]
            value = " ".join(known) or str(value.get("kind", ""))
        if isinstance(value, str) or (key == "instruction" and value is not None):
            parts.append(f"{key.replace('_', ' ')} {_short(value)}")
    return " · ".join(parts)


def _short(value: object) -> str:
    text = str(value)
    return text[:8] if _HEX.fullmatch(text) else text


def versions() -> dict[str, str]:
    """Return the versions of what decides a run's numbers; packages that are absent are left out."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
