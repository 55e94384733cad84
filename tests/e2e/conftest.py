"""What all end-to-end tests share: a namespace that enforces `restricted`, with the first run's bucket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bed import NAMESPACE, Bed, images, run


@pytest.fixture(scope="session")
def bed() -> Iterator[Bed]:
    run("kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found")
    run("kubectl", "create", "namespace", NAMESPACE)
    run("kubectl", "label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    yield Bed(NAMESPACE, images())
    run("kubectl", "delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("e2e")
