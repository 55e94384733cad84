"""Where artifacts live."""

from __future__ import annotations

from pydantic import AnyHttpUrl, field_validator

from dama.spec.base import EnvName, NonNegativeFloat, Part, PositiveFloat, PositiveInt
from dama.spec.places import StoreUri


class EnvKeys(Part):
    """Names (never values) of the environment variables that hold the keys."""

    access_key: EnvName
    """Variable with the access key id."""
    secret_key: EnvName
    """Variable with the secret key."""
    session_token: EnvName | None = None
    """Variable with a session token."""


class StorageSpec(Part):
    """One folder or bucket prefix holds every artifact and run."""

    uri: StoreUri = "store"
    """A folder (path or file://) or s3://bucket/prefix; a relative folder starts at the run file's."""
    endpoint_url: AnyHttpUrl | None = None
    """Address of an S3 server other than AWS."""
    region: str = "us-east-1"
    """Region of the bucket."""
    path_style: bool = False
    """Put the bucket into the path instead of the host name, as most S3 servers want it."""
    keys: EnvKeys | None = None
    """Where the keys are; boto3's own chain (profile, role, IRSA) if left out."""
    attempts: PositiveInt = 5
    """Tries of one request, with growing, jittered pauses."""
    timeout_seconds: PositiveFloat = 30.0
    """Wait this long for an answer; for a connection at most five seconds."""
    scratch: str | None = None
    """Folder for local copies and checkpoints; a temporary one if left out."""
    patience_seconds: NonNegativeFloat = 300.0
    """Wait this long for a server that answered before and no longer does; 0 gives up after `attempts`."""

    @field_validator("endpoint_url")
    @classmethod
    def _no_keys_inside(cls, address: AnyHttpUrl | None) -> AnyHttpUrl | None:
        if address is not None and (address.username or address.password):
            raise ValueError("holds credentials; name the variables that hold them in storage.keys")
        return address
