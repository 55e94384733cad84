"""What stages `baseline` and `evaluate` share: the run's benchmarks put to a model folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dama.spec.evaluate import BenchmarkSpec, MiniatureBenchmark
from dama.spec.run import RunSpec
from dama.stages.base import StageContext
from dama.stages.published import benchmark_key, judge_of, local_folders, open_benchmark

if TYPE_CHECKING:
    from dama.benchmarks.base import Benchmark


def measuring_key(spec: RunSpec) -> dict[str, Any]:
    """Return the parts of the spec that answers and scores depend on, the model aside."""
    return {
        "benchmarks": [benchmark_key(benchmark) for benchmark in spec.evaluate.benchmarks],
        "max_new_tokens": spec.evaluate.max_new_tokens,
        "device": spec.train.device,
        "dtype": spec.train.dtype,
    }


def asks_world(spec: RunSpec) -> bool:
    """Say whether a benchmark's questions come from the miniature world."""
    return any(benchmark.kind == "miniature" for benchmark in spec.evaluate.benchmarks)


def measure_folder(context: StageContext, folder: Path) -> Mapping[str, Any]:
    """Put the run's benchmarks to the model in `folder`, fill `context.out`, return the results as meta."""
    spec = context.spec
    benchmarks = [_opened(context, asked) for asked in spec.evaluate.benchmarks]
    import torch
    from transformers.utils.logging import disable_progress_bar

    from dama.evaluate.measure import measure, write_measured
    from dama.model.load import load_model
    from dama.stages.progress import progress

    disable_progress_bar()
    if spec.train.threads is not None:
        torch.set_num_threads(spec.train.threads)
    loaded = load_model(folder, device=spec.train.device, dtype=spec.train.dtype)
    measured = []
    for benchmark in benchmarks:
        with progress(f"answers, {benchmark.name}", sum(1 for _ in benchmark.questions())) as advance:
            measured.append(
                measure(
                    loaded,
                    benchmark,
                    max_new_tokens=spec.evaluate.max_new_tokens,
                    batch=spec.evaluate.batch,
                    advance=advance,
                )
            )
    return write_measured(context.out, measured)


def _opened(context: StageContext, asked: BenchmarkSpec) -> Benchmark:
    """Return a benchmark with its files at hand; its judge keeps replies in `context.out`."""
    if isinstance(asked, MiniatureBenchmark):
        from dama.benchmarks.miniature import Miniature

        return Miniature(context.inputs["world"] / "benchmark.parquet", asked.scenes)
    folder, images = local_folders(asked, context.spec.storage, context.scratch)
    return open_benchmark(asked, folder, images, asker=judge_of(asked, context.out))
