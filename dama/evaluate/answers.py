"""A model's answers and what they are worth, as files.

answers-<benchmark>.jsonl   {"id", "text"} a line, in the order of the questions; `dama score` reads it too
results.json                every BenchmarkResult
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dama.benchmarks.reading import read_answers
from dama.errors import CorruptArtifact
from dama.records import Answer, BenchmarkResult
from dama.storage.layout import shard_name

RESULTS = "results.json"


def answers_file(benchmark: str) -> str:
    """Return the name of the file with the answers to `benchmark`."""
    return f"answers-{benchmark}.jsonl"


def write_answers(folder: Path, benchmark: str, answers: Iterable[Answer]) -> int:
    """Write answers to `benchmark` into `folder`; return how many."""
    lines = [json.dumps(asdict(answer), ensure_ascii=False) + "\n" for answer in answers]
    (folder / answers_file(benchmark)).write_text("".join(lines), encoding="utf-8")
    return len(lines)


def read_shards(folder: Path, benchmark: str) -> list[Answer]:
    """Return the answers to `benchmark` from all shards of an artifact, in order.

    Raises CorruptArtifact when not one shard holds any.
    """
    files = sorted((folder / shard_name()).glob(f"*/{answers_file(benchmark)}"))
    if not files:
        raise CorruptArtifact(
            f"{folder} holds no answers to {benchmark}", do="delete it and run its stage again"
        )
    return [answer for file in files for answer in read_answers(file)]


def write_results(folder: Path, results: Sequence[BenchmarkResult]) -> dict[str, Any]:
    """Write `results.json` into `folder`; return it as JSON, `{"results": [...]}`."""
    found = {"results": [asdict(result) for result in results]}
    (folder / RESULTS).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return found
