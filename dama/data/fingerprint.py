"""What a dataset's content is called: a digest that moves when its bytes do, and not when its folder does.

For the stage that freezes a run: `fingerprint(data: DataSpec, storage: StorageSpec) -> str` gives the value
of `data.digest`; hub addresses are first given a commit by `dama.data.hub.resolve_revision(uri: str) -> str`.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

from dama.data.row import RowFault
from dama.data.source import Source, open_source
from dama.data.validate import image_path
from dama.spec.data import DataSpec, MiniatureData
from dama.spec.storage import StorageSpec
from dama.storage.commit import sha256_of


def fingerprint(data: DataSpec, storage: StorageSpec) -> str:
    """Return the sha256 (hex) over names and bytes of the source files, and of images named by their rows.

    Hub datasets are named by address (with its commit) and split; nothing is downloaded for that. Miniature
    data has no files of its own (stage world names it): ValueError. DataError for a missing or broken file.
    """
    if isinstance(data, MiniatureData):
        raise ValueError("miniature data is named by the world that makes it")
    if storage.scratch is not None:
        Path(storage.scratch).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dama-", dir=storage.scratch) as scratch:
        return source_fingerprint(open_source(data, storage, Path(scratch)))


def source_fingerprint(source: Source) -> str:
    """Return the fingerprint of a source that is open already."""
    data = source.data
    if not isinstance(data, MiniatureData) and data.uri.startswith("hf://"):
        return _digest({"hub": data.uri, "split": getattr(data, "split", "")})
    return _digest(
        {
            "files": {file.name: sha256_of(file.path) for file in source.files},
            "images": _image_digests(source),
        }
    )


def _image_digests(source: Source) -> dict[str, str]:
    """Return the sha256 of every image that the source's rows name by path; of those out of reach, why."""
    found: dict[str, str] = {}
    if source.images is None:
        return found
    judge = source.judge()
    for row in source.rows():
        try:
            name = None if row.fault is not None else image_path(judge.draft(row).image)
        except RowFault:
            continue
        if name is None or name in found:
            continue
        try:
            found[name] = hashlib.sha256(source.images.read(name)).hexdigest()
        except RowFault as fault:
            found[name] = fault.kind
    return found


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
