"""Stage `baseline`: how much the model hallucinates before it is aligned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext, with_world
from dama.stages.measuring import asks_world, measure_folder, measuring_key
from dama.stages.model_folder import model_folder, model_key


def _reads(spec: RunSpec) -> tuple[str, ...]:
    return with_world(spec, used=asks_world(spec) or spec.model.kind == "miniature")


def _key(spec: RunSpec) -> Any:  # noqa: ANN401 - JSON
    return {"model": model_key(spec), **measuring_key(spec)}


def _run(context: StageContext) -> Mapping[str, Any]:
    return measure_folder(context, model_folder(context))


STAGE = Stage(
    name="baseline",
    version=1,
    reads=_reads,
    key=_key,
    run=_run,
    title="measure the starting model",
    wanted=lambda spec: bool(spec.evaluate.benchmarks),
)
