"""What training did, step by step: the metrics and gaps that the report draws."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class History:
    """One line a step for metrics, and one for every preference's gap; saved in checkpoints, so that a
    resumed run tells the whole story. Nothing in it depends on the clock."""

    metrics: list[dict[str, Any]] = field(default_factory=list)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    """{"step", "ids", "gaps", "kept", "beta"}."""
    _lines: dict[str, list[str]] = field(default_factory=lambda: {"metrics": [], "gaps": []}, repr=False)
    """Rows as they were written the last time; rows are never changed, so none is written as JSON twice."""

    def save(self, folder: Path) -> None:
        """Write `metrics.jsonl` and `gaps.jsonl`."""
        for name, lines in self._lines.items():
            lines += [json.dumps(row) + "\n" for row in getattr(self, name)[len(lines) :]]
            (folder / f"{name}.jsonl").write_text("".join(lines))

    @classmethod
    def load(cls, folder: Path) -> History:
        """Read what `save` wrote."""
        rows = {
            name: [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
            for name in ("metrics", "gaps")
        }
        return cls(rows["metrics"], rows["gaps"])

    def write_parts(self, folder: Path) -> None:
        """Write the artifact's parts: `metrics.jsonl`, and `gaps.parquet`, a row a step and preference."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in self.metrics))
        columns: dict[str, list[Any]] = {"step": [], "id": [], "gap": [], "kept": [], "beta": []}
        for row in self.gaps:
            columns["step"] += [row["step"]] * len(row["ids"])
            for column, key in (("id", "ids"), ("gap", "gaps"), ("kept", "kept"), ("beta", "beta")):
                columns[column] += row[key]
        types: list[tuple[str, pa.DataType]] = [
            ("step", pa.int32()),
            ("id", pa.string()),
            ("gap", pa.float32()),
            ("kept", pa.bool_()),
        ]
        schema = pa.schema([*types, ("beta", pa.float32())])
        pq.write_table(pa.table(columns, schema=schema), folder / "gaps.parquet", compression="zstd")
