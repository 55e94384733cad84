"""What the Dockerfiles and compose.yaml say, without Docker: bases by digest, no root, nothing baked in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dama.spec.images import OURS, read_lock

ROOT = Path(__file__).parent.parent.parent
DOCKERFILES = sorted((ROOT / "images").glob("*/Dockerfile"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_there_is_one_for_each_image_of_ours() -> None:
    assert {path.parent.name for path in DOCKERFILES} == {*OURS, "test"}


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_the_base_is_the_locks_by_digest(path: Path) -> None:
    (base,) = re.findall(r"^ARG BASE_IMAGE=(\S+)$", path.read_text("utf-8"), re.MULTILINE)
    assert base == read_lock()["base"]
    froms = set(re.findall(r"^FROM (\S+)", path.read_text("utf-8"), re.MULTILINE))
    assert froms <= {"${BASE_IMAGE}", "${TRAIN_IMAGE}", "scratch"}


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_the_last_stage_runs_nothing_while_it_is_built_and_starts_in_exec_form(path: Path) -> None:
    last = re.split(r"(?m)^FROM ", path.read_text("utf-8"))[-1]
    assert "\nRUN" not in last
    assert re.search(r'^ENTRYPOINT \["', last, re.MULTILINE)
    if path.parent.name in OURS:
        assert "\nUSER 10001:10001\n" in last
        for label in ("source", "revision", "version", "licenses"):
            assert f"org.opencontainers.image.{label}=" in last


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_code_comes_after_packages(path: Path) -> None:
    text = path.read_text("utf-8")
    if path.parent.name in OURS:
        assert text.index("COPY --from=packages") < text.index("COPY --from=code")
        assert "COPY dama" not in text[: text.index("AS code")]


def test_proxies_and_authorities_are_never_set() -> None:
    for path in (*DOCKERFILES, *(path for path in (ROOT / "images").iterdir() if path.is_file())):
        text = path.read_text("utf-8")
        assert not re.search(r"^(ENV|ARG) .*(PROXY|_CERT|CA_BUNDLE|INDEX_URL)", text, re.MULTILINE), path


def test_what_docker_sees_is_listed() -> None:
    first, *others = [
        line
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert first == "*"
    assert not {"!.git", "!build", "!.venv"} & set(others)


def test_composes_store_is_the_locks() -> None:
    assert SERVICES["store"]["image"] == f"${{STORE_IMAGE:-{read_lock()['store']}}}"


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_has_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "cap_add" not in service
    user = service.get("user", "10001:10001")  # the images' own
    assert user in ("10001:10001", "${REPORT_USER:-1000:1000}")


def test_services_wait_for_each_other_and_never_sleep() -> None:
    for service in SERVICES.values():
        assert "sleep" not in str(service.get("command", ""))
        for waited in service.get("depends_on", {}).values():
            assert waited["condition"] in ("service_healthy", "service_completed_successfully")
    assert SERVICES["store"]["healthcheck"]["test"][0] == "CMD"


def test_the_run_of_compose_is_the_miniature_world_on_four_processes() -> None:
    from dama.spec.load import load
    from dama.storage.keys import COMPOSE_HOST, PUBLIC_KEY

    spec = load(ROOT / "images" / "miniature.yaml")
    assert spec.model.kind == "miniature"
    assert spec.train.ranks == 4
    assert spec.storage.endpoint_url is not None
    assert spec.storage.endpoint_url.host == COMPOSE_HOST
    assert COMPOSE_HOST in SERVICES["store"]["networks"]["default"]["aliases"]
    assert SERVICES["bucket"]["environment"]["S3_ACCESS_KEY"] == f"${{S3_ACCESS_KEY:-{PUBLIC_KEY}}}"
