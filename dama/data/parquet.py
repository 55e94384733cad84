"""Parquet, a few rows at a time: reading what others wrote, writing what our artifacts hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dama.data.row import Row, RowFault
from dama.errors import DataError

READ_ROWS = 16
"""Rows decoded at a time: each may carry an image of megabytes."""
GROUP_ROWS = 1024
"""Rows of one row group of our own files."""
_STREAM_BYTES = 1 << 20
_HELD_ROWS = 64


def read_foreign(
    path: Path, name: str, columns: Sequence[str], optional: Sequence[str] = (), first: int = 1
) -> Iterator[Row]:
    """Yield the rows of somebody's parquet file, numbered from `first`; `name` is what people call it.

    Raises DataError naming file and column when a column is absent, and the file when it is no whole parquet.
    """
    with _opened(path, name) as file:
        present = set(file.schema_arrow.names)
        for column in columns:
            if column not in present:
                raise DataError(
                    f"{name} has no column '{column}'",
                    wanted=f"the columns {', '.join(columns)}",
                    do="point data.uri at files with these columns, or choose another data.kind",
                )
        wanted = [*columns, *(column for column in optional if column in present)]
        number = first
        batches = file.iter_batches(batch_size=READ_ROWS, columns=wanted)
        while (batch := _next(batches, name)) is not None:
            for index in range(batch.num_rows):
                yield _row(batch, index, number)
                number += 1


def _row(batch: pa.RecordBatch, index: int, number: int) -> Row:
    values = {}
    for column in batch.schema.names:
        try:
            values[column] = batch.column(column)[index].as_py()
        except UnicodeDecodeError:
            return Row(number, values, RowFault("not UTF-8", f"column '{column}'"))
        except (ValueError, OverflowError) as error:
            return Row(number, values, RowFault("unreadable value", f"column '{column}': {error}"))
    return Row(number, values)


def _opened(path: Path, name: str) -> pq.ParquetFile:
    try:
        # A buffered stream keeps one page of a column in memory, not a whole row group of images.
        return pq.ParquetFile(path, buffer_size=_STREAM_BYTES, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise _broken(name, error) from error


def _next(batches: Iterator[pa.RecordBatch], name: str) -> pa.RecordBatch | None:
    try:
        return next(batches, None)
    except (pa.ArrowException, OSError) as error:
        raise _broken(name, error) from error


def _broken(name: str, error: Exception) -> DataError:
    return DataError(
        f"{name} cannot be read as parquet ({str(error).strip().splitlines()[0][:160]})",
        wanted="a whole parquet file",
        do="download or copy the file again",
    )


def write_rows(path: Path, schema: pa.Schema, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write `rows` to a new parquet file, in row groups of 1024; return how many. Same rows, same bytes."""
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd", version="2.6") as writer:
        group: list[Mapping[str, Any]] = []
        for row in rows:
            group.append(row)
            count += 1
            if len(group) == GROUP_ROWS:
                writer.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=GROUP_ROWS)
                group = []
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=GROUP_ROWS)
    return count


def read_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file that `write_rows` made, 256 at a time."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=256, columns=list(columns) if columns else None):
            yield from batch.to_pylist()


def hold_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a small file, read at once and packed until they are wanted: no file stays open."""
    with pq.ParquetFile(path) as file:
        table = file.read(columns=list(columns) if columns else None)
    for start in range(0, table.num_rows, _HELD_ROWS):
        yield from table.slice(start, _HELD_ROWS).to_pylist()
