"""The artifact of stage `data`, and its readers.

preferences.parquet   id, image (sha256), prompt, chosen, rejected, source; row groups of 1024
images.parquet        sha256, file, offset, size: where each image's encoded bytes lie
images-00000.bin ...  encoded images end to end, each once, a new file after 256 MiB
quarantine.jsonl      row, id, reason of every row that cannot be used
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from dama.data.images import decode
from dama.data.parquet import read_rows
from dama.data.shards import cut
from dama.errors import DataError
from dama.records import Preference

PREFERENCES = "preferences.parquet"
IMAGES = "images.parquet"
QUARANTINE = "quarantine.jsonl"
PREFERENCE_SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "image": pa.string(),
        "prompt": pa.string(),
        "chosen": pa.string(),
        "rejected": pa.string(),
        "source": pa.string(),
    }
)
_PLACE: dict[str, pa.DataType] = {
    "sha256": pa.string(),
    "file": pa.string(),
    "offset": pa.int64(),
    "size": pa.int64(),
}
IMAGE_SCHEMA = pa.schema(_PLACE)


class ImageTable:
    """Encoded images by sha256; safe to use from several threads and processes, and after a fork."""

    def __init__(self, folder: Path, max_pixels: int | None = None) -> None:
        self._folder, self._max_pixels = folder, max_pixels
        self._places = {
            row["sha256"]: (row["file"], row["offset"], row["size"]) for row in read_rows(folder / IMAGES)
        }
        self._files: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __contains__(self, sha256: object) -> bool:
        return sha256 in self._places

    def read(self, sha256: str) -> bytes:
        """Return the encoded bytes of an image; KeyError when the table has none of that sha256."""
        file, offset, size = self._places[sha256]
        if file not in self._files:
            opened = os.open(self._folder / file, os.O_RDONLY | os.O_CLOEXEC)
            if self._files.setdefault(file, opened) != opened:  # another thread was quicker
                os.close(opened)
        parts = []
        while size > 0:  # pread has no shared position, so forked readers do not disturb each other
            part = os.pread(self._files[file], size, offset)
            if not part:
                raise DataError(
                    f"{self._folder / file} ends before image {sha256[:12]}…", do="run stage data again"
                )
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return b"".join(parts)

    def open(self, sha256: str) -> Image.Image:
        """Return an image, decoded, as RGB; RowFault when it has more than the table's `max_pixels`."""
        return decode(self.read(sha256), self._max_pixels)

    def close(self) -> None:
        """Close the files; the next read opens them again."""
        while self._files:
            os.close(self._files.popitem()[1])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": {}}

    def __del__(self) -> None:
        if hasattr(self, "_files"):
            self.close()


class PreferenceTable:
    """The preferences of a run, in order; iteration streams, indexing keeps the text columns in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / PREFERENCES
        self._length = pq.read_metadata(self._path).num_rows
        self._table: pa.Table | None = None

    def __len__(self) -> int:
        return int(self._length)

    def __iter__(self) -> Iterator[Preference]:
        for row in read_rows(self._path):
            yield Preference(**row)

    def __getitem__(self, index: int) -> Preference:
        if not -len(self) <= index < len(self):
            raise IndexError(f"preference {index} of {len(self)}")
        row = self._rows().slice(index % len(self), 1).to_pylist()[0]
        return Preference(**row)

    def take(self, indices: Sequence[int]) -> list[Preference]:
        """Return the preferences of these indices, in the order given."""
        return [Preference(**row) for row in self._rows().take(pa.array(indices, pa.int64())).to_pylist()]

    def _rows(self) -> pa.Table:
        if self._table is None:
            self._table = pq.read_table(self._path, memory_map=True).combine_chunks()
        return self._table

    def ids(self) -> list[str]:
        """Return the id of every preference, in order."""
        return [row["id"] for row in read_rows(self._path, ["id"])]

    def shards(self) -> list[Sequence[int]]:
        """Return the cut of the preferences into shards, each as indices in growing order."""
        return cut(row["image"] for row in read_rows(self._path, ["image"]))

    def images(self, max_pixels: int | None = None) -> ImageTable:
        """Return the images that the preferences name; those of more than `max_pixels` are not decoded."""
        return ImageTable(self._folder, max_pixels)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_table": None}
