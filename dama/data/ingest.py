"""Rows of a source into the artifact of stage `data`; every row ends as a preference or in quarantine."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from dama.data.parquet import write_rows
from dama.data.row import Row, RowFault
from dama.data.table import IMAGE_SCHEMA, IMAGES, PREFERENCE_SCHEMA, PREFERENCES, QUARANTINE
from dama.data.validate import Judge
from dama.errors import DataError
from dama.records import Quarantined

FILE_BYTES = 256 << 20
"""An image file that has reached this size is followed by a new one."""


class ImageWriter:
    """Writes encoded images end to end, each once."""

    def __init__(self, folder: Path, file_bytes: int = FILE_BYTES) -> None:
        self._folder, self._file_bytes = folder, file_bytes
        self._places: dict[str, tuple[str, int, int]] = {}
        self._file: BinaryIO | None = None
        self._files = 0

    def __len__(self) -> int:
        return len(self._places)

    def add(self, sha256: str, data: bytes) -> None:
        """Append an image unless it is there."""
        if sha256 in self._places:
            return
        if self._file is not None and self._file.tell() >= self._file_bytes:
            self._file.close()
            self._file = None
        if self._file is None:
            self._file = (self._folder / f"images-{self._files:05d}.bin").open("wb")
            self._files += 1
        self._places[sha256] = (Path(self._file.name).name, self._file.tell(), len(data))
        self._file.write(data)

    def close(self) -> None:
        """Finish the last file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield where each image lies, in the order they came."""
        for sha256, (file, offset, size) in self._places.items():
            yield {"sha256": sha256, "file": file, "offset": offset, "size": size}


def ingest(
    rows: Iterable[Row],
    judge: Judge,
    out: Path,
    *,
    strict: bool = False,
    advance: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Fill `out` with the artifact; return its meta: rows, preferences, quarantined, images, reasons.

    Raises DataError at the first row that cannot be used when `strict`, when no row remains, and when
    counts in and out differ.
    """
    came, reasons = 0, Counter[str]()
    first: Quarantined | None = None
    images = ImageWriter(out)

    def sound() -> Iterator[dict[str, Any]]:
        nonlocal came, first
        for row in rows:
            came += 1
            if advance is not None:
                advance(1)
            try:
                preference, data = judge.judge(row)
            except RowFault as fault:
                refused = Quarantined(row.number, judge.name(row), " ".join(str(fault).split()))
                if strict:
                    raise DataError(
                        f"row {refused.row} ({refused.id}): {refused.reason}",
                        do="mend the row, or set data.strict=false to put such rows into quarantine",
                    ) from fault
                first = first or refused
                reasons[fault.kind] += 1
                quarantine.write(json.dumps(asdict(refused), ensure_ascii=True) + "\n")
                continue
            images.add(preference.image, data)
            yield asdict(preference)

    with (out / QUARANTINE).open("w", encoding="utf-8", newline="\n") as quarantine:
        try:
            kept = write_rows(out / PREFERENCES, PREFERENCE_SCHEMA, sound())
        finally:
            images.close()
    write_rows(out / IMAGES, IMAGE_SCHEMA, images.rows())
    quarantined = reasons.total()
    if came != kept + quarantined:
        raise DataError(f"{came} rows came in, {kept} preferences and {quarantined} quarantined went out")
    if first is not None and kept == 0:
        raise DataError(
            f"none of {came} rows can be used; the first, row {first.row}: {first.reason}",
            do="mend the dataset, or check that data.kind and data.images fit it",
        )
    if kept == 0:
        raise DataError("the dataset has no rows", wanted="at least one preference", do="mend data.uri")
    return {
        "rows": came,
        "preferences": kept,
        "quarantined": quarantined,
        "images": len(images),
        "reasons": dict(sorted(reasons.items())),
    }
