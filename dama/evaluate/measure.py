"""Benchmarks put to a model: its answers and what they are worth, as files.

answers-<benchmark>.jsonl   {"id", "text"} a line, in the order of the questions
results.json                every BenchmarkResult
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dama.benchmarks.base import Benchmark
from dama.evaluate.generate import generate
from dama.model.load import Loaded
from dama.records import Answer, BenchmarkResult


@dataclass(frozen=True)
class Measured:
    """What a model said to a benchmark, and its score."""

    answers: tuple[Answer, ...]
    result: BenchmarkResult


def measure(
    loaded: Loaded,
    benchmark: Benchmark,
    *,
    max_new_tokens: int,
    batch: int,
    advance: Callable[[int], None] = lambda count: None,
) -> Measured:
    """Put `benchmark` to the model and score its answers."""
    answers = tuple(generate(loaded, benchmark, max_new_tokens=max_new_tokens, batch=batch, advance=advance))
    return Measured(answers, benchmark.score(answers))


def write_measured(folder: Path, measured: Sequence[Measured]) -> dict[str, Any]:
    """Write answers and results into `folder`; return the results as JSON, `{"results": [...]}`."""
    for one in measured:
        lines = (json.dumps(asdict(answer), ensure_ascii=False) + "\n" for answer in one.answers)
        file = folder / f"answers-{one.result.benchmark}.jsonl"
        file.write_text("".join(lines), encoding="utf-8")
    results = {"results": [asdict(one.result) for one in measured]}
    (folder / "results.json").write_text(
        json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    return results
