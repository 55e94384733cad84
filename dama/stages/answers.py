"""Stage `answers`: what the aligned model says to the benchmarks' questions, shard by shard."""

from __future__ import annotations

from dama.spec.run import RunSpec
from dama.stages.answering import Answering, answers_key, asks_world, require_engine
from dama.stages.base import Stage, StageContext, with_world
from dama.stages.shards import InShards


def _reads(spec: RunSpec) -> tuple[str, ...]:
    return with_world(spec, "train", used=asks_world(spec))


def _begin(context: StageContext) -> Answering:
    return Answering(context, lambda: context.inputs["train"] / "model")


def _part(stage: str, part: str) -> bool:
    return part.startswith("model/") if stage == "train" else part == "benchmark.parquet"


STAGE = Stage(
    name="answers",
    version=1,
    reads=_reads,
    key=answers_key,
    run=InShards(_begin),
    title="ask the aligned model",
    wanted=lambda spec: bool(spec.evaluate.benchmarks),
    ready=require_engine,
    part=_part,
)
