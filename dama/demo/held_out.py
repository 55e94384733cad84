"""The benchmark's own scenes as a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from dama.benchmarks.mentions import PROMPT
from dama.benchmarks.miniature import COLUMNS
from dama.demo.painting import png
from dama.demo.scenes import Kind, Scene, absent_companions


def write_held_out(file: Path, scenes: Sequence[Scene], companions: dict[Kind, Kind]) -> None:
    """Write `scenes` as the parquet file that `dama.benchmarks.miniature` reads; same scenes, same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {
            "id": f"held-out-{number:05d}",
            "image": png(scene),
            "prompt": PROMPT,
            "truth": json.dumps([asdict(mention) for mention in scene.mentions]),
            "companions": json.dumps(absent_companions(scene, companions)),
        }
        for number, scene in enumerate(scenes)
    ]
    schema = pa.schema([(name, pa.binary() if name == "image" else pa.string()) for name in COLUMNS])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), file)
