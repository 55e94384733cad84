"""Encoded images are decoded by many threads at once, quietly and within bounds."""

from __future__ import annotations

import io
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from dama.data.images import check_image, decode
from dama.data.parquet import write_rows
from dama.data.row import RowFault
from dama.data.table import IMAGE_SCHEMA, IMAGES, ImageTable


def odd_png() -> bytes:
    """Return a palette image with transparency as bytes, on which Pillow remarks when it is made RGB."""
    image = Image.new("P", (8, 8))
    image.putpalette([n % 256 for n in range(768)])
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=bytes(range(256)))
    return buffer.getvalue()


def test_pillow_does_remark_on_such_an_image() -> None:
    with pytest.warns(UserWarning, match="Palette images with Transparency"):
        Image.open(io.BytesIO(odd_png())).convert("RGB")


def test_many_threads_decode_without_a_remark_and_leave_warnings_as_they_were() -> None:
    data, before = odd_png(), list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        sizes = list(pool.map(lambda _: decode(data).size, range(400)))
        checked = list(pool.map(lambda _: check_image(data, 64), range(100)))
    assert set(sizes) == set(checked) == {(8, 8)}
    assert list(warnings.filters) == before


def test_an_image_of_too_many_pixels_is_not_decoded_from_a_table(tmp_path: Path) -> None:
    data = odd_png()
    (tmp_path / "images-00000.bin").write_bytes(data)
    rows = [{"sha256": "ab" * 32, "file": "images-00000.bin", "offset": 0, "size": len(data)}]
    write_rows(tmp_path / IMAGES, IMAGE_SCHEMA, iter(rows))
    assert ImageTable(tmp_path, 64).open("ab" * 32).mode == "RGB"
    with pytest.raises(RowFault, match="too many pixels: 8 × 8, at most 63 are allowed"):
        ImageTable(tmp_path, 63).open("ab" * 32)


def test_many_threads_open_a_tables_file_once(tmp_path: Path) -> None:
    data = odd_png()
    (tmp_path / "images-00000.bin").write_bytes(data)
    rows = [{"sha256": "ab" * 32, "file": "images-00000.bin", "offset": 0, "size": len(data)}]
    write_rows(tmp_path / IMAGES, IMAGE_SCHEMA, iter(rows))
    before = len(list(Path("/proc/self/fd").iterdir()))
    tables = [ImageTable(tmp_path) for _ in range(50)]
    with ThreadPoolExecutor(8) as pool:
        for table in tables:
            assert set(pool.map(table.read, ["ab" * 32] * 8)) == {data}
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + len(tables)
    for table in tables:
        table.close()
