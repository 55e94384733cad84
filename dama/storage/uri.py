"""A store for the address and settings of a run file."""

from __future__ import annotations

from pathlib import Path

from dama.spec.storage import StorageSpec
from dama.storage.base import Store
from dama.storage.local import LocalStore
from dama.storage.patient import PatientStore


def open_store(spec: StorageSpec) -> Store:
    """Return the store that `spec` names; nothing is read or written yet."""
    if spec.uri.startswith("s3://"):
        from dama.storage.s3 import S3Store

        return PatientStore(S3Store.from_spec(spec), spec.patience_seconds)
    return LocalStore(Path(spec.uri.removeprefix("file://")))
