"""Stage `baseline-answers`: what the starting model says to the benchmarks' questions, shard by shard."""

from __future__ import annotations

from typing import Any

from dama.spec.run import RunSpec
from dama.stages.answering import Answering, answers_key, asks_world, require_engine
from dama.stages.base import Stage, StageContext, with_world
from dama.stages.model_folder import model_folder, model_key
from dama.stages.shards import InShards


def _reads(spec: RunSpec) -> tuple[str, ...]:
    return with_world(spec, used=asks_world(spec) or spec.model.kind == "miniature")


def _key(spec: RunSpec) -> Any:  # noqa: ANN401 - JSON
    return {"model": model_key(spec), **answers_key(spec)}


def _begin(context: StageContext) -> Answering:
    return Answering(context, lambda: model_folder(context))


def _part(stage: str, part: str) -> bool:
    return part == "benchmark.parquet" or part.startswith("llava/")


STAGE = Stage(
    name="baseline-answers",
    version=1,
    reads=_reads,
    key=_key,
    run=InShards(_begin),
    title="ask the starting model",
    wanted=lambda spec: bool(spec.evaluate.benchmarks),
    ready=require_engine,
    part=_part,
)
