"""The miniature world as a whole."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq


def test_small_world_has_every_part(small_world: Path) -> None:
    assert sorted(path.name for path in small_world.iterdir()) == [
        "benchmark.parquet",
        "clip",
        "llava",
        "preferences.parquet",
    ]
    assert pq.read_table(small_world / "preferences.parquet").num_rows == 48
