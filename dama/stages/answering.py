"""What stages `baseline-answers` and `answers` share: questions put to a model, shard by shard."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dama.errors import ToolMissing
from dama.evaluate.cut import SHARD, cut
from dama.spec.evaluate import AmberBenchmark, BenchmarkSpec, MiniatureBenchmark
from dama.spec.run import RunSpec
from dama.stages.base import StageContext
from dama.stages.published import local_folders, open_benchmark

if TYPE_CHECKING:
    from dama.benchmarks.asking import Asker
    from dama.benchmarks.base import Benchmark
    from dama.evaluate.answerer import Answerer
    from dama.records import Question


def answers_key(spec: RunSpec) -> dict[str, Any]:
    """Return the parts of the spec that answers depend on, the model aside: who asks what, and how."""
    return {
        "questions": [_questions_key(benchmark) for benchmark in spec.evaluate.benchmarks],
        "engine": spec.evaluate.engine,
        "max_new_tokens": spec.evaluate.max_new_tokens,
        "device": spec.train.device,
        "dtype": spec.train.dtype,
    }


def _questions_key(benchmark: BenchmarkSpec) -> dict[str, Any]:
    """Return what names a benchmark's questions and images, however their answers are scored."""
    if isinstance(benchmark, MiniatureBenchmark):
        return {"kind": benchmark.kind, "scenes": benchmark.scenes}
    key: dict[str, Any] = {"kind": benchmark.kind, "digest": benchmark.digest}
    if benchmark.digest is None:
        key |= {"data": benchmark.data, "images": benchmark.images}
    return {**key, "part": benchmark.part} if isinstance(benchmark, AmberBenchmark) else key


def asks_world(spec: RunSpec) -> bool:
    """Say whether a benchmark's questions come from the miniature world."""
    return any(benchmark.kind == "miniature" for benchmark in spec.evaluate.benchmarks)


def require_engine(spec: RunSpec) -> None:
    """Raise ToolMissing when the package of the engine that is to answer is not installed."""
    if spec.evaluate.engine == "vllm" and importlib.util.find_spec("vllm") is None:
        raise ToolMissing(
            "evaluate.engine is vllm, and the package vllm is not installed",
            do="pip install vllm (it brings a torch of its own), or choose the engine transformers",
        )


def opened(
    context: StageContext, benchmark: BenchmarkSpec, asker: Callable[[], Asker | None] = lambda: None
) -> Benchmark:
    """Return a benchmark of the run with its files at hand; `asker` gives its judge, where it has one."""
    if isinstance(benchmark, MiniatureBenchmark):
        from dama.benchmarks.miniature import Miniature

        return Miniature(context.inputs["world"] / "benchmark.parquet", benchmark.scenes)
    folder, images = local_folders(benchmark, context.spec.storage, context.scratch)
    return open_benchmark(benchmark, folder, images, asker=asker())


class Answering:
    """The answers to each shard's questions; the model is loaded for the first shard that is made."""

    title = "answers generated"

    def __init__(
        self,
        context: StageContext,
        model: Callable[[], Path],
        *,
        opened_by: Callable[[RunSpec, Path], Answerer] | None = None,
        most: int = SHARD,
    ) -> None:
        """Cut the questions of all benchmarks into shards of `most`; `model` gives the model's folder."""
        self._context, self._model, self._open = context, model, opened_by or open_answerer
        self._shards: list[tuple[Benchmark, Sequence[Question]]] = []
        for benchmark in (opened(context, asked) for asked in context.spec.evaluate.benchmarks):
            questions = list(benchmark.questions())
            parts = cut(len(questions), most)
            self._shards += [(benchmark, questions[part.start : part.stop]) for part in parts]
        self.sizes: Sequence[int] = [len(questions) for _, questions in self._shards]
        self._answerer: Answerer | None = None

    def make(self, shard: int, out: Path, advance: Callable[[int], None]) -> dict[str, Any]:
        """Write the answers to one shard's questions; return whose they are and how many."""
        from dama.evaluate.answers import write_answers
        from dama.evaluate.pictures import pictures

        if self._answerer is None:
            self._answerer = self._open(self._context.spec, self._model())
        benchmark, questions = self._shards[shard]
        answers = self._answerer.answer(questions, pictures(benchmark), advance)
        written = write_answers(out, benchmark.name, answers)
        return {"benchmark": benchmark.name, "answers": written}

    def total(self, metas: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return how many answers there are to each benchmark."""
        counts: dict[str, int] = {}
        for meta in metas:
            counts[meta["benchmark"]] = counts.get(meta["benchmark"], 0) + meta["answers"]
        return {"answers": counts}


def open_answerer(spec: RunSpec, folder: Path) -> Answerer:
    """Return the model in `folder` behind the engine that the run names."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    evaluate, train = spec.evaluate, spec.train
    if evaluate.engine == "vllm":
        from dama.evaluate.offline import OfflineAnswerer
        from dama.serving.vllm import OfflineVision

        engine = OfflineVision(
            folder,
            dtype=train.dtype,
            gpu_memory=evaluate.gpu_memory,
            tensor_parallel=evaluate.tensor_parallel,
        )
        return OfflineAnswerer(folder, engine, max_new_tokens=evaluate.max_new_tokens)
    import torch

    from dama.evaluate.generate import Generator
    from dama.model.load import load_model

    if train.threads is not None:
        torch.set_num_threads(train.threads)
    loaded = load_model(folder, device=train.device, dtype=train.dtype)
    return Generator(loaded, max_new_tokens=evaluate.max_new_tokens, batch=evaluate.batch)
