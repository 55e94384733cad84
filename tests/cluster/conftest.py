"""A cluster in memory and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_server import ApiServer, running

from dama.cluster.client import Cluster


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with running() as state:
        yield state


@pytest.fixture
def cluster(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "kubeconfig")))
    return Cluster.reached()
