"""What to change when a run does not fit: changes to the run file that were themselves found to fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from pydantic import ValidationError

from dama.model.shape import ModelShape
from dama.plan.device import Gpu
from dama.plan.forecast import Asked, Forecast, on_gpu
from dama.spec.run import RunSpec

_MOST = 4


@dataclass(frozen=True)
class Proposal:
    """Changes that make a run fit."""

    overrides: tuple[str, ...]
    """As `--set` takes them."""
    why: str
    """What they do, for people."""
    forecast: Forecast


def proposals(spec: RunSpec, shape: ModelShape, gpu: Gpu, asked: Asked) -> list[Proposal]:
    """Return what fits on `gpu`: fewest kinds of change first, then least hours; none when nothing does.

    Tried are a higher ZeRO stage, gradient checkpointing, smaller micro-batches with accumulation, offloading
    the optimizer, and where all of that is too little twice, four or eight times the GPUs.
    """
    found: list[tuple[int, float, Proposal]] = []
    for more in (1, 2, 4, 8):
        for kinds, overrides, why in _changes(spec, more):
            changed = _with(spec, overrides)
            if changed is None:
                continue
            forecast = on_gpu(changed, shape, gpu, asked)
            if forecast.fits and forecast.time is not None:
                found.append((kinds, forecast.time.hours, Proposal(overrides, why, forecast)))
        if found:
            break
    found.sort(key=lambda item: item[:2])
    return [proposal for _, _, proposal in found[:_MOST]]


def _changes(spec: RunSpec, more: int) -> Iterator[tuple[int, tuple[str, ...], str]]:
    """Give every combination of changes: how many kinds, the overrides, in words."""
    train = spec.train
    stages = range(train.zero.stage, 4)
    micro = [size for size in _halves(train.per_device_batch) if (train.batch // train.ranks) % size == 0]
    recompute = [False, True] if not train.gradient_checkpointing else [True]
    offload = [False, True] if not train.zero.offload else [True]
    for stage, again, size, away in product(stages, recompute, micro, offload):
        if away and stage == 0:
            continue
        overrides, why = [], []
        if stage != train.zero.stage:
            overrides.append(f"train.zero.stage={stage}")
            why.append(f"ZeRO-{stage}")
        if again != train.gradient_checkpointing:
            overrides.append("train.gradient_checkpointing=true")
            why.append("recompute activations")
        ranks, accumulation = train.ranks * more, train.batch // (train.ranks * more * size)
        if ranks * size * accumulation != train.batch:
            continue
        if size != train.per_device_batch or more > 1:
            overrides += [f"train.per_device_batch={size}", f"train.accumulation={accumulation}"]
            why.append(f"{size} preferences at a time")
        if away != train.zero.offload:
            overrides.append("train.zero.offload=true")
            why.append("optimizer on the host")
        if more > 1:
            overrides.append(f"train.ranks={ranks}")
            if spec.cluster.gpus is not None:
                overrides.append(f"cluster.gpus={ranks // spec.cluster.nodes}")
            why.append(f"{ranks} GPUs")
        if overrides:
            yield len(why), tuple(overrides), ", ".join(why)


def _halves(size: int) -> Iterator[int]:
    while size >= 1:
        yield size
        size //= 2


def _with(spec: RunSpec, overrides: tuple[str, ...]) -> RunSpec | None:
    """Return the run with the overrides in force, None where the run file's own rules refuse them."""
    raw = spec.model_dump()
    for item in overrides:
        path, _, text = item.partition("=")
        part = raw
        *keys, last = path.split(".")
        for key in keys:
            part = part[key]
        part[last] = text == "true" if text in ("true", "false") else int(text)
    try:
        return RunSpec.model_validate(raw)
    except ValidationError:  # one pass with accumulation, say: no proposal
        return None
