"""`dama bucket`: the place where a run's artifacts go."""

from __future__ import annotations

from dama.cli.arguments import Overrides, RunFile, console


def bucket(runfile: RunFile, overrides: Overrides = []) -> None:  # noqa: B006 - typer's way
    """Create the bucket of RUNFILE's store, unless it is there; fails where it cannot be used.

    Needed once, and only for an S3 server of your own: a folder needs no making.
    """
    from dama.errors import StorageError
    from dama.spec.load import load

    spec = load(runfile, overrides).storage
    if not spec.uri.startswith("s3://"):
        raise StorageError(f"{spec.uri} is no bucket", wanted="storage.uri: s3://bucket/prefix")
    from dama.storage.s3 import S3Store

    store = S3Store.from_spec(spec)
    made = store.create_bucket()
    console().print(f"bucket {store.bucket} at {store.endpoint}: {'created' if made else 'already there'}")
