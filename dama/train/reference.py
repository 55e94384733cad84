"""Log-probabilities under the starting model: computed once, by the same forward, over all ranks."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from dama.errors import DataError, TrainingError
from dama.model.encode import OverLong
from dama.records import Quarantined, ReferenceLogps
from dama.train import ranks
from dama.train.dataset import Preferences
from dama.train.forward import Forward

_PART = "reference.parquet"
_QUARANTINE = "quarantine.jsonl"


@dataclass(frozen=True)
class Reference:
    """Reference log-probabilities of a dataset, in its order."""

    rows: Sequence[ReferenceLogps]
    quarantined: Sequence[Quarantined]
    """Preferences that max_length has no room for; training leaves them out."""
    cut: int
    """Preferences of `rows` whose answers max_length has cut."""


def compute_reference(
    model: Any,  # noqa: ANN401 - AnswerLogps
    dataset: Preferences,
    forward: Forward,
    batch: int,
    advance: Callable[[int], None],
) -> Reference:
    """Return the reference log-probabilities of the whole dataset on every rank.

    Each rank computes a contiguous share. TrainingError when one is not finite, DataError when every
    preference is too long.
    """
    mine = ranks.share(len(dataset))
    rows: list[ReferenceLogps] = []
    quarantined: list[Quarantined] = []
    cut = 0
    for first in range(mine.start, mine.stop, batch):
        items = []
        for index in range(first, min(first + batch, mine.stop)):
            try:
                items.append(dataset[index])
            except OverLong as error:
                quarantined.append(Quarantined(index, dataset.id(index), error.found))
        if items:
            with torch.no_grad():
                logps = forward.logps(model, items).cpu().tolist()
            rows += [ReferenceLogps(i.encoded.id, *pair) for i, pair in zip(items, logps, strict=True)]
            cut += sum(item.encoded.cut > 0 for item in items)
        advance(batch * ranks.world())  # the others are as far
    parts = ranks.all_objects((rows, quarantined, cut))
    whole = Reference(
        [row for part in parts for row in part[0]],
        [row for part in parts for row in part[1]],
        sum(part[2] for part in parts),
    )
    for row in whole.rows:
        if not (math.isfinite(row.chosen) and math.isfinite(row.rejected)):
            raise TrainingError(
                f"preference {row.id}: the reference log-probability is {(row.chosen, row.rejected)}",
                wanted="finite numbers",
                do="check the model's weights and train.dtype",
            )
    if not whole.rows:
        raise DataError(
            f"none of {len(dataset)} preferences fits: {whole.quarantined[0].reason}",
            do="raise train.max_length",
        )
    return whole


def write_reference(folder: Path, reference: Reference) -> None:
    """Write `reference.parquet`: id, chosen, rejected (nats, float32: what the forward gave), and
    `quarantine.jsonl`: row, id and reason of every preference that is left out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = reference.rows
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
    lines = [json.dumps(asdict(row)) + "\n" for row in reference.quarantined]
    (folder / _QUARANTINE).write_text("".join(lines))


def read_quarantined(folder: Path) -> frozenset[str]:
    """Return the ids of the preferences that `write_reference` left out."""
    lines = (folder / _QUARANTINE).read_text().splitlines()
    return frozenset(str(json.loads(line)["id"]) for line in lines)


def read_reference(folder: Path) -> dict[str, ReferenceLogps]:
    """Return what `write_reference` wrote, by id."""
    import pyarrow.parquet as pq

    columns = pq.read_table(folder / _PART).to_pydict()
    rows = zip(columns["id"], columns["chosen"], columns["rejected"], strict=True)
    return {id: ReferenceLogps(id, chosen, rejected) for id, chosen, rejected in rows}
