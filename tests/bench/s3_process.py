"""An S3 server on loopback in a process of its own, so that it does not share our interpreter's lock."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUCKET = "dama-bench"
_ACCESS, _SECRET = "bench-access", "bench-secret-key"
_VARIABLES = {"access_key": "DAMA_BENCH_ACCESS", "secret_key": "DAMA_BENCH_SECRET"}


@dataclass(frozen=True)
class Address:
    """A running server with an empty bucket."""

    program: str
    url: str

    def client(self) -> Any:
        """Return boto3's client as a person would make it."""
        import boto3

        session = boto3.session.Session(_ACCESS, _SECRET, region_name="us-east-1")
        return session.client("s3", endpoint_url=self.url)

    def store(self) -> Any:
        """Return our store in the bucket, as a run file would name it."""
        from dama.spec.storage import StorageSpec
        from dama.storage.uri import open_store

        return open_store(StorageSpec.model_validate(self.storage("runs")))

    def storage(self, prefix: str) -> dict[str, Any]:
        """Return the run file's `storage` for a prefix in the bucket; its keys are set in the environment."""
        os.environ.update({_VARIABLES["access_key"]: _ACCESS, _VARIABLES["secret_key"]: _SECRET})
        return {
            "uri": f"s3://{BUCKET}/{prefix}",
            "endpoint_url": self.url,
            "path_style": True,
            "keys": _VARIABLES,
        }


@contextmanager
def s3_server(folder: Path) -> Iterator[Address]:
    """Start versitygw over `folder` where it is on PATH, else moto's server; give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    versitygw = shutil.which("versitygw")
    if versitygw:
        command = [versitygw, "--port", f"127.0.0.1:{port}", "--quiet", "posix", str(folder)]
    else:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environ = {**os.environ, "ROOT_ACCESS_KEY": _ACCESS, "ROOT_SECRET_KEY": _SECRET}
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            _await(port)
            address = Address("versitygw" if versitygw else "moto's server", f"http://127.0.0.1:{port}")
            address.client().create_bucket(Bucket=BUCKET)
            yield address
        finally:
            server.terminate()
            server.wait(10)


def _await(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
