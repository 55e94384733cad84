"""What stages `baseline` and `evaluate` share: the run's benchmarks put to a model folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dama.spec.run import RunSpec
from dama.stages.base import StageContext


def measuring_key(spec: RunSpec) -> dict[str, Any]:
    """Return the parts of the spec that answers and scores depend on, the model aside."""
    return {
        "benchmarks": [benchmark.model_dump(mode="json") for benchmark in spec.evaluate.benchmarks],
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
    import torch
    from transformers.utils.logging import disable_progress_bar

    from dama.benchmarks.miniature import Miniature
    from dama.evaluate.measure import measure, write_measured
    from dama.model.load import load_model
    from dama.stages.progress import progress

    disable_progress_bar()
    if spec.train.threads is not None:
        torch.set_num_threads(spec.train.threads)
    loaded = load_model(folder, device=spec.train.device, dtype=spec.train.dtype)
    measured = []
    for asked in spec.evaluate.benchmarks:
        benchmark = Miniature(context.inputs["world"] / "benchmark.parquet", asked.scenes)
        with progress(f"answers, {asked.kind}", asked.scenes) as advance:
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
