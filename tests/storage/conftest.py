"""The three stores that keep one contract."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from s3_servers import ACCESS, BUCKET, KEYS, SECRET, Server, boto, moto, versitygw

from dama.storage.base import Store
from dama.storage.local import LocalStore
from dama.storage.s3 import S3Store


def _name(request: pytest.FixtureRequest) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in request.node.name)


@pytest.fixture(scope="session", autouse=True)
def _keys() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv(KEYS["access_key"], ACCESS)
        patch.setenv(KEYS["secret_key"], SECRET)
        yield


@pytest.fixture(params=["moto", "versitygw"])
def server(request: pytest.FixtureRequest, one_server: Callable[[str], Server]) -> Server:
    """Each S3 server in turn."""
    return one_server(request.param)


@pytest.fixture
def s3(server: Server, request: pytest.FixtureRequest) -> S3Store:
    """A store of its own in each server's bucket."""
    return server.store(f"{_name(request)}/root")


@pytest.fixture(params=["local", "moto", "versitygw"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Each store in turn, empty."""
    if request.param == "local":
        return LocalStore(tmp_path / "store" / "root")
    make: Callable[[str], Server] = request.getfixturevalue("one_server")
    return make(request.param).store(f"{_name(request)}/root")


@pytest.fixture(scope="session")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Start a server when it is first asked for, and keep it."""
    running: dict[str, Server] = {}
    with ExitStack() as stack:

        def make(name: str) -> Server:
            if name not in running:
                context = moto() if name == "moto" else versitygw(tmp_path_factory.mktemp("s3"))
                address = stack.enter_context(context)
                boto(address).create_bucket(Bucket=BUCKET)
                running[name] = Server(name, address)
            return running[name]

        yield make
