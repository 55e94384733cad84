"""What stages `baseline` and `evaluate` share: a model's answers scored; no model is loaded here."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dama.errors import ToolMissing
from dama.spec.evaluate import AmberBenchmark, BenchmarkSpec, MiniatureBenchmark
from dama.spec.judge import JudgeSpec
from dama.spec.run import RunSpec
from dama.stages.answering import asks_world, opened
from dama.stages.base import Stage, StageContext, with_world
from dama.stages.kept_replies import kept_replies, replies_key
from dama.stages.progress import progress
from dama.stages.published import REPLIES, benchmark_key, judge_of

if TYPE_CHECKING:
    from dama.records import Answer, BenchmarkResult


def scoring_stage(name: str, *, answers: str, title: str) -> Stage:
    """Return the stage `name`, which scores the answers of stage `answers`."""
    return Stage(
        name=name,
        version=2,
        reads=lambda spec: _reads(spec, answers),
        key=_key,
        run=lambda context: _score(context, answers),
        title=title,
        wanted=lambda spec: bool(spec.evaluate.benchmarks),
        ready=_require_judges,
        part=_known_only,
    )


def _key(spec: RunSpec) -> list[dict[str, Any]]:
    """Return the parts of the spec that figures depend on, the answers aside."""
    return [benchmark_key(benchmark) for benchmark in spec.evaluate.benchmarks]


def _reads(spec: RunSpec, answers: str) -> tuple[str, ...]:
    """Return what is read to score the answers of stage `answers`."""
    return with_world(spec, answers, used=asks_world(spec))


def _known_only(stage: str, part: str) -> bool:
    """Say whether scoring reads a part: of stage `world` only what is true of the held-out scenes."""
    return stage != "world" or part == "benchmark.parquet"


def _require_judges(spec: RunSpec) -> None:
    """Raise what would keep a judge from being asked: the client's package or its key is not there."""
    from dama.benchmarks.judge import asking_judge
    from dama.serving.endpoint import key_of

    for benchmark in spec.evaluate.benchmarks:
        judge = _judge(benchmark)
        if judge is None:
            continue
        if importlib.util.find_spec("openai") is None:
            raise ToolMissing(
                f"{benchmark.kind} is scored by a judge, and the package openai is not installed",
                do="pip install 'dama[judge]'",
            )
        key_of(judge, asking_judge(judge, "the store"))


def _score(context: StageContext, stage: str) -> Mapping[str, Any]:
    """Score the answers of input `stage`, fill `context.out`, return the results as meta."""
    from dama.evaluate.answers import read_shards, write_answers, write_results

    results = []
    for benchmark in context.spec.evaluate.benchmarks:
        answers = read_shards(context.inputs[stage], benchmark.kind)
        write_answers(context.out, benchmark.kind, answers)
        results.append(_scored(context, stage, benchmark, answers))
    return write_results(context.out, results)


def _scored(
    context: StageContext, stage: str, benchmark: BenchmarkSpec, answers: list[Answer]
) -> BenchmarkResult:
    if isinstance(benchmark, MiniatureBenchmark) or _judge(benchmark) is None:
        return opened(context, benchmark).score(answers)
    key = replies_key(context.plan[stage].prefix, benchmark)
    place = f"{context.store.uri}/{key}"
    with (
        kept_replies(context.store, key, context.out / REPLIES.format(benchmark.kind)),
        progress(f"judge, {benchmark.kind}", len(answers)) as advance,
    ):
        return opened(context, benchmark, lambda: judge_of(benchmark, context.out, advance, place)).score(
            answers
        )


def _judge(benchmark: BenchmarkSpec) -> JudgeSpec | None:
    return None if isinstance(benchmark, MiniatureBenchmark | AmberBenchmark) else benchmark.judge
