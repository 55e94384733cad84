"""Stage `evaluate`: how much the aligned model hallucinates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext, with_world
from dama.stages.measuring import asks_world, measure_folder, measuring_key


def _reads(spec: RunSpec) -> tuple[str, ...]:
    return with_world(spec, "train", used=asks_world(spec))


def _run(context: StageContext) -> Mapping[str, Any]:
    return measure_folder(context, context.inputs["train"] / "model")


STAGE = Stage(
    name="evaluate",
    version=1,
    reads=_reads,
    key=measuring_key,
    run=_run,
    title="measure the aligned model",
    wanted=lambda spec: bool(spec.evaluate.benchmarks),
)
