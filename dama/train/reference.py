"""Log-probabilities under the starting model: computed once, by the same forward, over all ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from dama.errors import TrainingError
from dama.records import ReferenceLogps
from dama.train import ranks
from dama.train.dataset import Preferences
from dama.train.forward import Forward

_PART = "reference.parquet"


def compute_reference(
    model: Any,  # noqa: ANN401 - AnswerLogps
    dataset: Preferences,
    forward: Forward,
    batch: int,
    advance: Callable[[int], None],
) -> list[ReferenceLogps]:
    """Return the reference log-probabilities of the whole dataset, in its order, on every rank.

    Each rank computes a contiguous share. TrainingError when one is not finite.
    """
    mine = ranks.share(len(dataset))
    found: list[tuple[float, float]] = []
    with torch.no_grad():
        for first in range(mine.start, mine.stop, batch):
            items = [dataset[index] for index in range(first, min(first + batch, mine.stop))]
            found += [(float(c), float(r)) for c, r in forward.logps(model, items).cpu()]
            advance(len(items) * ranks.world())  # the others are as far
    logps = [pair for part in ranks.all_objects(found) for pair in part]
    for index, pair in enumerate(logps):
        if not all(value == value and abs(value) != float("inf") for value in pair):
            raise TrainingError(
                f"preference {dataset.id(index)}: the reference log-probability is {pair}",
                wanted="finite numbers",
                do="check the model's weights and train.dtype",
            )
    return [ReferenceLogps(dataset.id(index), *pair) for index, pair in enumerate(logps)]


def write_reference(folder: Path, rows: Iterable[ReferenceLogps]) -> None:
    """Write `reference.parquet`: id, chosen, rejected (nats, float32: what the forward gave)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = list(rows)
    types: dict[str, pa.DataType] = {"id": pa.string(), "chosen": pa.float32(), "rejected": pa.float32()}
    table = pa.table(
        {
            "id": [r.id for r in rows],
            "chosen": [r.chosen for r in rows],
            "rejected": [r.rejected for r in rows],
        },
        schema=pa.schema(types),
    )
    pq.write_table(table, folder / _PART, compression="zstd")


def read_reference(folder: Path) -> dict[str, ReferenceLogps]:
    """Return what `write_reference` wrote, by id."""
    import pyarrow.parquet as pq

    columns = pq.read_table(folder / _PART).to_pydict()
    rows = zip(columns["id"], columns["chosen"], columns["rejected"], strict=True)
    return {id: ReferenceLogps(id, chosen, rejected) for id, chosen, rejected in rows}
