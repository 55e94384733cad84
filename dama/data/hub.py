"""Datasets of the Hugging Face hub, streamed through the `datasets` library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dama.data.row import Row
from dama.errors import DataError

_WAIT_SECONDS = 20.0


def parse_hub(uri: str) -> tuple[str, str]:
    """Return owner/name and revision of `hf://owner/name@revision`; the revision is `main` if left out."""
    name, _, revision = uri.removeprefix("hf://").partition("@")
    return name, revision or "main"


def resolve_revision(uri: str, endpoint: str | None = None) -> str:
    """Return `uri` with its revision as a commit, so that it names the same bytes for ever.

    `endpoint` is the hub's address where it is not the usual one. DataError when the hub names no commit.
    """
    from huggingface_hub import HfApi

    name, revision = parse_hub(uri)
    if len(revision) == 40 and all(character in "0123456789abcdef" for character in revision):
        return f"hf://{name}@{revision}"
    try:
        commit = HfApi(endpoint=endpoint).dataset_info(name, revision=revision, timeout=_WAIT_SECONDS).sha
    except Exception as error:  # the client's errors come from several libraries
        raise _unreachable(uri, error) from error
    if not commit:
        raise DataError(f"the hub names no commit for {uri}", do="write it behind the @ of data.uri")
    return f"hf://{name}@{commit}"


def hub_rows(uri: str, split: str, columns: Sequence[str], optional: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a hub dataset, images encoded; DataError when out of reach or lacking a column."""
    from datasets import load_dataset

    name, revision = parse_hub(uri)
    try:
        dataset = load_dataset(name, revision=revision, split=split, streaming=True)
    except Exception as error:  # the client's errors come from several libraries
        raise _unreachable(uri, error) from error
    yield from stream_rows(dataset, uri, columns, optional)


def stream_rows(dataset: Any, uri: str, columns: Sequence[str], optional: Sequence[str]) -> Iterator[Row]:  # noqa: ANN401 - datasets.IterableDataset, loaded lazily
    """Yield the rows of a streaming dataset; `uri` is what people call it."""
    try:
        undecoded = dataset.decode(False)
        names = undecoded.column_names
        if names is not None:
            for column in columns:
                if column not in names:
                    raise DataError(
                        f"{uri} has no column '{column}'", wanted=f"the columns {', '.join(columns)}"
                    )
            undecoded = undecoded.select_columns([name for name in (*columns, *optional) if name in names])
        for number, values in enumerate(undecoded, start=1):
            yield Row(number, values)
    except DataError:
        raise
    except Exception as error:  # the network may fail in the middle of the stream
        raise _unreachable(uri, error) from error


def _unreachable(uri: str, error: Exception) -> DataError:
    return DataError(
        f"{uri} cannot be read from the hub: {type(error).__name__}",
        do="check the name, the revision and the network, or give a local folder as data.uri",
    )
