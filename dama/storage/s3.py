"""A store in an S3 bucket: the one file that knows boto3."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dama.errors import (
    AccessRefused,
    ObjectMissing,
    StorageError,
    StoreFull,
    StoreUnreachable,
    ToolMissing,
)
from dama.spec.storage import StorageSpec
from dama.storage.base import Progress, check_key, check_prefix
from dama.storage.keys import keys_of
from dama.storage.whole import replacing, told

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

MULTIPART_BYTES = 16 << 20
"""Larger files move in parts of this size, several at a time."""
_CONCURRENCY = 8
_CONNECT_SECONDS = 5.0
_LONGEST_PAUSE = 5.0
_REFUSED = {
    "401", "403", "AccessDenied", "AccountProblem", "AllAccessDisabled", "ExpiredToken", "Forbidden",
    "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken", "RequestTimeTooSkewed",
    "SignatureDoesNotMatch", "TokenRefreshRequired", "Unauthorized", "XAdminUserNotFound",
}  # fmt: skip
_MISSING = {"404", "NoSuchKey", "NotFound"}
_FULL = {"507", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull"}
_BUSY = {"500", "502", "503", "504", "InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown"}


class S3Store:
    """Objects below s3://bucket/prefix. Writing an object is atomic by S3's own rules, multipart or not."""

    def __init__(
        self,
        bucket: str,
        prefix: str,
        client: Any,  # noqa: ANN401 - boto3 makes its classes at run time
        *,
        endpoint: str = "",
        multipart_bytes: int = MULTIPART_BYTES,
        page: int = 1000,
    ) -> None:
        from boto3.s3.transfer import TransferConfig

        self.bucket, self.prefix = bucket, prefix.strip("/")
        self.uri = f"s3://{bucket}/{self.prefix}".rstrip("/")
        self.endpoint = endpoint or "AWS S3"
        self._root = f"{self.prefix}/" if self.prefix else ""
        self._client = client
        self._attempts = int((client.meta.config.retries or {}).get("total_max_attempts", 1))
        self._page = page
        self._transfer = TransferConfig(
            multipart_threshold=multipart_bytes,
            multipart_chunksize=multipart_bytes,
            max_concurrency=_CONCURRENCY,
            preferred_transfer_client="classic",
        )

    @classmethod
    def from_spec(cls, spec: StorageSpec) -> S3Store:
        """Return the store that `spec` names; AccessRefused when a variable it names is not set."""
        bucket, _, prefix = spec.uri.removeprefix("s3://").partition("/")
        endpoint = str(spec.endpoint_url) if spec.endpoint_url is not None else ""
        return cls(bucket, prefix, s3_client(spec), endpoint=endpoint)

    def __repr__(self) -> str:
        return f"S3Store({self.uri!r})"

    def put_bytes(self, key: str, data: bytes) -> None:
        """Write `data` under `key`."""
        name = self._key(key)
        with self._told(key):
            self._client.put_object(Bucket=self.bucket, Key=name, Body=data)

    def put_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        """Write the file at `path` under `key`, a large one in parts.

        The parts are read from the file as they are sent. (boto3's `upload_fileobj` first reads ten of them
        into memory for every file under way; its `upload_file` does not, and hides what the server answered.)
        """
        from boto3.s3.transfer import ProgressCallbackInvoker, create_transfer_manager

        name = self._key(key)
        heard = [ProgressCallbackInvoker(progress)] if progress is not None else None
        with told(path), self._told(key):
            path.open("rb").close()  # what is not there is told before anything is sent
            with create_transfer_manager(self._client, self._transfer) as manager:
                manager.upload(str(path), self.bucket, name, subscribers=heard).result()

    def get_bytes(self, key: str) -> bytes:
        """Return what lies under `key`."""
        from botocore.exceptions import HTTPClientError, IncompleteReadError

        name = self._key(key)
        with self._told(key):
            attempt = 0
            while True:  # boto3 itself tries again only until the body begins
                attempt += 1
                body = self._client.get_object(Bucket=self.bucket, Key=name)["Body"]
                try:
                    return bytes(body.read())
                except (HTTPClientError, IncompleteReadError):
                    if attempt == self._attempts:
                        raise
                    _pause(attempt)

    def get_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        """Write what lies under `key` to the file at `path`, whole or not at all."""
        name = self._key(key)
        with told(path), self._told(key), replacing(path) as beside, beside.open("wb") as file:
            self._client.download_fileobj(self.bucket, name, file, Callback=progress, Config=self._transfer)

    def size(self, key: str) -> int | None:
        """Return the number of bytes under `key`, None when there is nothing."""
        name = self._key(key)
        try:
            with self._told(key):
                return int(self._client.head_object(Bucket=self.bucket, Key=name)["ContentLength"])
        except ObjectMissing:
            return None

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield every key that starts with `prefix`, in order."""
        pages = self._client.get_paginator("list_objects_v2")
        start = self._root + check_prefix(prefix)
        with self._told(prefix):
            for page in pages.paginate(
                Bucket=self.bucket, Prefix=start, PaginationConfig={"PageSize": self._page}
            ):
                for entry in page.get("Contents", ()):
                    if not entry["Key"].endswith("/"):  # a console's idea of an empty folder
                        yield entry["Key"].removeprefix(self._root)

    def delete(self, key: str) -> None:
        """Remove `key`; nothing happens when it is absent."""
        name = self._key(key)
        try:
            with self._told(key):
                self._client.delete_object(Bucket=self.bucket, Key=name)
        except ObjectMissing:
            return

    def local(self, key: str) -> None:
        """Return None: nothing of this store is a local file."""
        check_key(key)

    def create_bucket(self) -> bool:
        """Create the bucket; False when it is there already and is ours to use."""
        from botocore.exceptions import ClientError

        region = self._client.meta.region_name
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with self._told(""):
            try:
                self._client.head_bucket(Bucket=self.bucket)
            except ClientError as error:
                if str(error.response.get("Error", {}).get("Code", "")) not in (*_MISSING, "NoSuchBucket"):
                    raise
                self._client.create_bucket(Bucket=self.bucket, **place)
                return True
        return False

    def _key(self, key: str) -> str:
        return self._root + check_key(key)

    @contextmanager
    def _told(self, key: str) -> Iterator[None]:
        """Turn boto's errors into ours."""
        from botocore import exceptions as boto

        place = f"{self.uri}/{key}"
        try:
            yield
        except boto.ClientError as error:
            raise self._answered(error, place) from error
        except (
            boto.NoCredentialsError,
            boto.PartialCredentialsError,
            boto.CredentialRetrievalError,
        ) as error:
            raise AccessRefused(
                f"no credentials for {self.uri}",
                do="name the variables that hold them in storage.keys, or set up AWS credentials",
            ) from error
        except (boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError) as error:
            raise StoreUnreachable(
                f"{self.endpoint} does not answer ({type(error).__name__}) for {place}",
                do="check storage.endpoint_url and the network, then run the same command again",
            ) from error
        except boto.BotoCoreError as error:
            raise StorageError(f"{place}: {error}") from error

    def _answered(self, error: ClientError, place: str) -> StorageError:
        """Return our error for what the server answered."""
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code == "NoSuchBucket" or (code in _MISSING and not self._bucket_exists()):
            return StorageError(
                f"there is no bucket '{self.bucket}' at {self.endpoint}", do="create it, or mend storage.uri"
            )
        if code in _MISSING:
            return ObjectMissing(f"{place} is not there")
        if code in _REFUSED or status in (401, 403):
            return AccessRefused(
                f"{self.endpoint} refuses access to {place} ({code})",
                do="check the keys that storage.keys names (or AWS credentials) and the bucket's policy",
            )
        if code in _FULL or status == 507:
            return StoreFull(
                f"no space left for {place} ({code})", do="free space, then run the same command again"
            )
        if code in _BUSY or status >= 500:
            return StoreUnreachable(
                f"{self.endpoint} answers {code} for {place}, after every retry",
                do="look at the server, then run the same command again",
            )
        message = error.response.get("Error", {}).get("Message", "")
        return StorageError(f"{place}: {self.endpoint} answers {code}: {message}")

    def _bucket_exists(self) -> bool:
        """Say whether the bucket is there; only asked when an object is not."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.head_bucket(Bucket=self.bucket)
        except ClientError as error:
            return str(error.response.get("Error", {}).get("Code", "")) not in (*_MISSING, "NoSuchBucket")
        except BotoCoreError:
            return True
        return True


def s3_client(spec: StorageSpec) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Return boto3's client for the endpoint, keys, retries and time-outs of `spec`."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise ToolMissing(f"{spec.uri} needs the package boto3", do="install dama[store]") from error
    options: dict[str, Any] = dict(  # noqa: C408 - reads like the call it becomes
        region_name=spec.region,
        retries={"total_max_attempts": spec.attempts, "mode": "standard"},  # growing pauses with jitter
        connect_timeout=min(spec.timeout_seconds, _CONNECT_SECONDS),
        read_timeout=spec.timeout_seconds,
        max_pool_connections=4 * _CONCURRENCY,
        s3={"addressing_style": "path" if spec.path_style else "auto"},
        ignore_configured_endpoint_urls=True,  # the run file says where; the environment does not
    )
    keys: dict[str, Any] = dict(keys_of(spec))
    session = boto3.session.Session(**keys)
    return session.client(
        "s3",
        endpoint_url=str(spec.endpoint_url) if spec.endpoint_url is not None else None,
        config=Config(**options),
    )


def _pause(attempt: int) -> None:
    """Wait before another try: growing and jittered, as boto3's own pauses are."""
    time.sleep(random.uniform(0.0, min(_LONGEST_PAUSE, 0.05 * 2**attempt)))
