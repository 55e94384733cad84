"""Where the rows of a dataset come from: local files, a store, or the hub, as one stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dama.data import conversations, jsonl, rlaif_v
from dama.data.images import ImageFolder, ImageSource, StoreImages
from dama.data.parquet import read_foreign
from dama.data.row import Row
from dama.data.validate import Judge
from dama.errors import DataError
from dama.spec.data import Conversations, DataSpec, Jsonl, MiniatureData, RlaifV
from dama.spec.storage import StorageSpec
from dama.storage.base import Store
from dama.storage.uri import open_store

_DRAFTS = {
    "rlaif-v": rlaif_v.draft,
    "miniature": rlaif_v.draft,
    "jsonl": jsonl.draft,
    "conversations": conversations.draft,
}


@dataclass(frozen=True)
class SourceFile:
    """A local file, and its name relative to the dataset, which does not depend on the machine."""

    name: str
    path: Path


@dataclass(frozen=True)
class Source:
    """A dataset that can be read: its files (none on the hub) and where its image paths lead."""

    data: DataSpec
    files: tuple[SourceFile, ...]
    images: ImageSource | None = None

    def judge(self) -> Judge:
        """Return who turns this source's rows into preferences."""
        return Judge(_DRAFTS[self.data.kind], self.data.max_pixels, self.images)

    def rows(self) -> Iterator[Row]:
        """Yield the rows, at most `data.limit`, a few in memory at a time; DataError if a file is broken."""
        rows = self._all()
        if self.data.limit is None:
            yield from rows
            return
        for _, row in zip(range(self.data.limit), rows, strict=False):
            yield row

    def _all(self) -> Iterator[Row]:
        columns, optional = _columns(self.data)
        if not isinstance(self.data, MiniatureData) and self.data.uri.startswith("hf://"):
            from dama.data.hub import hub_rows

            yield from hub_rows(self.data.uri, getattr(self.data, "split", "train"), columns, optional)
            return
        number = 1
        for file in self.files:
            if _is_json(file.path):
                yield from jsonl.read_lines(file.path, file.name)
                continue
            for row in read_foreign(file.path, file.name, columns, optional, number):
                yield row
                number = row.number + 1


def open_source(data: DataSpec, storage: StorageSpec, scratch: Path, world: Path | None = None) -> Source:
    """Return the dataset that `data` names; what lies in S3 is fetched to `scratch` first.

    `world` is the folder of the miniature world's artifact. Raises DataError when there is no such file.
    """
    if isinstance(data, MiniatureData):
        if world is None:
            raise DataError("miniature data without the world that makes it", do="run stage world first")
        return Source(data, (SourceFile("preferences.parquet", world / "preferences.parquet"),))
    if data.uri.startswith("hf://"):
        return Source(data, ())
    if data.uri.startswith("s3://"):
        return _from_store(data, storage, scratch)
    path = Path(data.uri.removeprefix("file://"))
    if isinstance(data, RlaifV):
        return Source(data, _files(path))
    return Source(data, (_single(path),), _image_source(data.images or str(path.parent), storage))


def _columns(data: DataSpec) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if isinstance(data, Conversations):
        return conversations.COLUMNS, conversations.OPTIONAL
    return rlaif_v.COLUMNS, rlaif_v.OPTIONAL


def _is_json(path: Path) -> bool:
    return path.suffix.lower() in (".jsonl", ".json", ".ndjson")


def _files(path: Path) -> tuple[SourceFile, ...]:
    """Return the parquet file at `path`, or every one below the folder, in order of their names."""
    if path.is_file():
        return (SourceFile(path.name, path),)
    found = sorted((p.relative_to(path).as_posix(), p) for p in path.rglob("*.parquet") if p.is_file())
    if not found:
        what = "holds no .parquet file" if path.is_dir() else "is not there"
        raise DataError(f"{path} {what}", wanted="a parquet file or a folder of them", do="mend data.uri")
    return tuple(SourceFile(name, file) for name, file in found)


def _single(path: Path) -> SourceFile:
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "is not there"
        raise DataError(f"{path} {found}", wanted="one file", do="mend data.uri")
    return SourceFile(path.name, path)


def _store_at(uri: str, storage: StorageSpec) -> Store:
    """Return the store at `uri`, reached as the run's own storage is."""
    return open_store(storage.model_copy(update={"uri": uri.rstrip("/")}))


def _image_source(uri: str, storage: StorageSpec) -> ImageSource:
    if uri.startswith("s3://"):
        return StoreImages(_store_at(uri, storage))
    if uri.startswith("hf://"):
        raise DataError(f"data.images is {uri}", wanted="a folder or s3://bucket/prefix")
    folder = Path(uri.removeprefix("file://"))
    if not folder.is_dir():
        raise DataError(
            f"{folder} is no folder", wanted="the folder that image paths start at", do="mend data.images"
        )
    return ImageFolder(folder)


def _from_store(data: RlaifV | Jsonl | Conversations, storage: StorageSpec, scratch: Path) -> Source:
    parent, _, last = data.uri.rstrip("/").rpartition("/")
    single = parent != "s3:/" and (store := _store_at(parent, storage)).size(last) is not None
    if single:
        path = scratch / "source" / last
        store.get_file(last, path)
        files: tuple[SourceFile, ...] = (SourceFile(last, path),)
    else:
        if not isinstance(data, RlaifV):
            raise DataError(f"{data.uri} is not there", wanted="one file", do="mend data.uri")
        store = _store_at(data.uri, storage)
        keys = [key for key in store.keys("") if key.endswith(".parquet")]
        if not keys:
            raise DataError(f"{data.uri} holds no .parquet file", do="mend data.uri")
        for key in keys:
            store.get_file(key, scratch / "source" / key)
        files = tuple(SourceFile(key, scratch / "source" / key) for key in keys)
    if isinstance(data, RlaifV):
        return Source(data, files)
    return Source(data, files, _image_source(data.images or parent, storage))
