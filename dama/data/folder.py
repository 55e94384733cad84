"""A folder of files as a run file writes it: a path, file://, s3:// or a dataset of the hub, made local."""

from __future__ import annotations

from pathlib import Path

from dama.data.hub import parse_hub
from dama.errors import DataError
from dama.spec.storage import StorageSpec
from dama.storage.uri import open_store


def local_folder(uri: str, storage: StorageSpec, scratch: Path) -> Path:
    """Return a local folder with what lies at `uri`; from S3 it is fetched into `scratch`.

    DataError when nothing is there or the hub is out of reach.
    """
    if uri.startswith("hf://"):
        return _from_hub(uri)
    if not uri.startswith("s3://"):
        return Path(uri.removeprefix("file://"))
    store = open_store(storage.model_copy(update={"uri": uri.rstrip("/")}))
    keys = list(store.keys(""))
    if not keys:
        raise DataError(f"{uri} holds nothing", do="mend the address")
    for key in keys:
        store.get_file(key, scratch / key)
    return scratch


def _from_hub(uri: str) -> Path:
    from huggingface_hub import snapshot_download

    name, revision = parse_hub(uri)
    try:
        return Path(snapshot_download(name, repo_type="dataset", revision=revision))
    except Exception as error:  # the client's errors come from several libraries
        raise DataError(
            f"{uri} cannot be read from the hub: {type(error).__name__}",
            do="check the name, the revision and the network, or give a local folder",
        ) from error
