"""The keys of a store: read from the variables that the run file names, and never shown."""

from __future__ import annotations

import os

from dama.errors import AccessRefused
from dama.spec.storage import StorageSpec

PUBLIC_KEY = "compose-only"
"""compose.yaml's default for both keys."""
COMPOSE_HOST = "store.compose.internal"
"""The name of the S3 server inside compose's network, the one place where PUBLIC_KEY is accepted."""


def keys_of(spec: StorageSpec) -> dict[str, str]:
    """Return the keys as boto3's session takes them; none where the run file names no variables.

    AccessRefused names the variables that are not set, and refuses keys that everybody knows.
    """
    if spec.keys is None:
        return {}
    wanted = {
        "aws_access_key_id": spec.keys.access_key,
        "aws_secret_access_key": spec.keys.secret_key,
        "aws_session_token": spec.keys.session_token,
    }
    missing = [name for name in wanted.values() if name is not None and not os.environ.get(name)]
    if missing:
        raise AccessRefused(
            f"not set in the environment: {', '.join(missing)}",
            wanted="the keys that storage.keys names",
            do="set them, or leave storage.keys out to use AWS credentials",
        )
    keys = {key: os.environ[name] for key, name in wanted.items() if name is not None}
    if PUBLIC_KEY in keys.values() and (spec.endpoint_url is None or spec.endpoint_url.host != COMPOSE_HOST):
        raise AccessRefused(
            "storage.keys holds the default key of compose.yaml, which everybody knows",
            wanted="keys of your own, anywhere but inside compose's network",
            do="set the variables that storage.keys names to them",
        )
    return keys
