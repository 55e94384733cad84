"""Facts, scores and hardness as parquet, in the order of the preferences.

Stages facts and scores leave one file a shard, stage alpha one file for the dataset.


facts.parquet      id, chosen, rejected, flags
scores.parquet     id, chosen, rejected, flags; kept raw, so that hardness is computed again without CLIP
hardness.parquet   id, chosen_facts, rejected_facts, chosen_scores, rejected_scores,
                   chosen_probabilities, rejected_probabilities, delta, alpha_data, flags
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from dama.data.parquet import hold_rows, read_rows, write_rows
from dama.records import Facts, Hardness, PairScore

FACTS, SCORES, HARDNESS = "facts.parquet", "scores.parquet", "hardness.parquet"
_TEXTS, _NUMBERS = pa.list_(pa.string()), pa.list_(pa.float64())
FACTS_SCHEMA = pa.schema({"id": pa.string(), "chosen": _TEXTS, "rejected": _TEXTS, "flags": _TEXTS})
SCORES_SCHEMA = pa.schema({"id": pa.string(), "chosen": _NUMBERS, "rejected": _NUMBERS, "flags": _TEXTS})
HARDNESS_SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "chosen_facts": _TEXTS,
        "rejected_facts": _TEXTS,
        "chosen_scores": _NUMBERS,
        "rejected_scores": _NUMBERS,
        "chosen_probabilities": _NUMBERS,
        "rejected_probabilities": _NUMBERS,
        "delta": pa.float64(),
        "alpha_data": pa.float64(),
        "flags": _TEXTS,
    }
)


def write_facts(folder: Path, items: Iterable[Facts]) -> int:
    """Write `facts.parquet`; return how many."""
    return write_rows(folder / FACTS, FACTS_SCHEMA, (asdict(item) for item in items))


def read_facts(folder: Path) -> Iterator[Facts]:
    """Yield the facts of every preference of a shard, in order."""
    for row in hold_rows(folder / FACTS):
        yield Facts(row["id"], tuple(row["chosen"]), tuple(row["rejected"]), tuple(row["flags"]))


def write_scores(folder: Path, items: Iterable[PairScore]) -> int:
    """Write `scores.parquet`; return how many."""
    return write_rows(folder / SCORES, SCORES_SCHEMA, (asdict(item) for item in items))


def read_scores(folder: Path) -> Iterator[PairScore]:
    """Yield the scores of every preference of a shard, in order."""
    for row in hold_rows(folder / SCORES):
        yield PairScore(row["id"], tuple(row["chosen"]), tuple(row["rejected"]), tuple(row["flags"]))


def write_hardness(folder: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write `hardness.parquet` from rows with its columns; return how many."""
    return write_rows(folder / HARDNESS, HARDNESS_SCHEMA, rows)


def read_hardness(folder: Path) -> Iterator[Hardness]:
    """Yield the hardness of every preference, in order."""
    columns = ["id", "delta", "alpha_data", "chosen_probabilities", "rejected_probabilities"]
    for row in read_rows(folder / HARDNESS, columns):
        yield Hardness(
            row["id"],
            row["delta"],
            row["alpha_data"],
            tuple(row["chosen_probabilities"]),
            tuple(row["rejected_probabilities"]),
        )


def read_alpha(folder: Path) -> dict[str, float]:
    """Return α_D by preference id, in order."""
    return {row["id"]: row["alpha_data"] for row in read_rows(folder / HARDNESS, ["id", "alpha_data"])}
