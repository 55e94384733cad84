"""S3 servers on loopback for tests: moto's, which comes with pip, and versitygw, where it is on PATH."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from dama.spec.storage import StorageSpec
from dama.storage.s3 import S3Store, s3_client

BUCKET = "dama-tests"
KEYS = {"access_key": "DAMA_TEST_ACCESS", "secret_key": "DAMA_TEST_SECRET"}
"""Names of the variables that hold the keys in tests."""
ACCESS, SECRET = "tester-access", "tester-secret-key"


SMALL_PARTS = 5 << 20
"""The smallest part that S3 allows, so that a test of multipart stays small."""


@dataclass
class Server:
    """A running S3 server with an empty bucket."""

    name: str
    address: str

    @cached_property
    def client(self) -> Any:
        """boto3's client, made once: making one takes half a second."""
        return s3_client(self.spec(""))

    def store(self, prefix: str) -> S3Store:
        """Return an empty store; parts and pages are small, so that a test of many stays small."""
        return S3Store(
            BUCKET, prefix, self.client, endpoint=self.address, multipart_bytes=SMALL_PARTS, page=10
        )

    def spec(self, prefix: str, **changes: object) -> StorageSpec:
        """Return the run file's part for a prefix in the bucket."""
        return StorageSpec.model_validate(
            {
                "uri": f"s3://{BUCKET}/{prefix}",
                "endpoint_url": self.address,
                "path_style": True,
                "keys": KEYS,
                "attempts": 2,
                "patience_seconds": 0,
                "timeout_seconds": 20,
                **changes,
            }
        )


def free_port() -> int:
    """Return a port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def moto() -> Iterator[str]:
    """Give the address of a fresh moto server."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def versitygw(folder: Path) -> Iterator[str]:
    """Give the address of a versitygw over `folder`; skips the test when the program is not on PATH."""
    program = shutil.which("versitygw")
    if program is None:
        pytest.skip("versitygw is not on PATH")
    port = free_port()
    environ = {**os.environ, "ROOT_ACCESS_KEY": ACCESS, "ROOT_SECRET_KEY": SECRET}
    command = [
        program,
        "--port",
        f"127.0.0.1:{port}",
        "--quiet",
        "--health",
        "/healthz",
        "posix",
        str(folder),
    ]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            _await(f"{address}/healthz")
            yield address
        finally:
            server.terminate()
            server.wait(10)


def _await(address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def boto(address: str) -> Any:
    """Return a plain client, to look behind the store's back."""
    import boto3

    session = boto3.session.Session(ACCESS, SECRET, region_name="us-east-1")
    return session.client("s3", endpoint_url=address)
