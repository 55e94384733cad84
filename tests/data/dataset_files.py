"""Small datasets for tests, drawn and written on the spot."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from dama.data.row import Row
from dama.data.source import open_source
from dama.data.validate import Judge
from dama.spec.data import DataSpec
from dama.spec.storage import StorageSpec


def picture(shade: int, size: int = 24, form: str = "JPEG") -> bytes:
    """Return an encoded picture; another shade, other bytes."""
    image = Image.new("RGB", (size, size), (shade % 256, shade // 256 % 256, 90))
    image.putpixel((1, 1), (255, 255, 255))
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


def noisy_picture() -> bytes:
    """Return a JPEG of some length, so that cutting it leaves a whole header."""
    out = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(out, "JPEG")
    return out.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes whose header says width × height."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 64))
        + chunk(b"IEND", b"")
    )


RLAIF_SCHEMA = pa.schema(
    {
        "image": pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())]),
        "question": pa.string(),
        "chosen": pa.string(),
        "rejected": pa.string(),
        "origin_dataset": pa.string(),
        "idx": pa.int64(),
    }
)


def rlaif_row(number: int, **changes: Any) -> dict[str, Any]:
    """Return a sound row with RLAIF-V's columns, changed as asked."""
    row = {
        "image": {"bytes": picture(number), "path": f"{number}.jpg"},
        "question": "What is there?",
        "chosen": f"There are {number} stars.",
        "rejected": f"There are {number} circles.",
        "origin_dataset": "drawn",
        "idx": number,
    }
    return row | changes


def write_rlaif(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write rows with RLAIF-V's columns to a parquet file."""
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=RLAIF_SCHEMA), path)
    return path


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any] | str]) -> Path:
    """Write rows, or lines as they are, to a JSONL file."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def jsonl_row(number: int, **changes: Any) -> dict[str, Any]:
    """Return a sound JSONL row, changed as asked; a value of None removes the key."""
    row = {
        "image": f"{number}.png",
        "prompt": "What?",
        "chosen": f"{number} stars",
        "rejected": "none",
    } | changes
    return {key: value for key, value in row.items() if value is not None}


def source_rows(data: DataSpec, scratch: Path) -> tuple[list[Row], Judge]:
    """Return all rows of a dataset and who judges them."""
    source = open_source(data, StorageSpec(), scratch)
    return list(source.rows()), source.judge()
