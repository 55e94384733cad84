"""Asking a registry for an image: digests are checked, tokens fetched, refusals told apart."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dama.errors import AccessRefused, CorruptArtifact, ObjectMissing, StorageError, StoreUnreachable
from dama.storage.registry import Reference, check_image

MANIFEST = json.dumps({"schemaVersion": 2, "layers": []}).encode()
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"


@dataclass
class Registry:
    """A registry on loopback that knows one manifest."""

    address: str = ""
    body: bytes = MANIFEST
    status: int = 200
    token: str | None = None
    challenge: str | None = None
    asked: list[str] = field(default_factory=list)

    def image(self, digest: str = DIGEST) -> str:
        return f"{self.address}/team/dama-train:1@{digest}"


@pytest.fixture
def registry() -> Iterator[Registry]:
    known = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.asked.append(self.path)
            if self.path.startswith("/token"):
                return self.answer(200, json.dumps({"token": known.token}).encode())
            if known.challenge and self.headers.get("Authorization") != f"Bearer {known.token}":
                return self.answer(401, b"{}", {"WWW-Authenticate": known.challenge})
            assert "oci.image.index" in self.headers["Accept"]
            if self.path != f"/v2/team/dama-train/manifests/{DIGEST}":
                return self.answer(404, b"{}")
            return self.answer(known.status, known.body)

        def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        known.address = f"127.0.0.1:{server.server_port}"
        yield known
        server.shutdown()
        thread.join()


def test_an_image_that_is_there_passes(registry: Registry) -> None:
    check_image(registry.image())
    assert registry.asked == [f"/v2/team/dama-train/manifests/{DIGEST}"]


def test_a_token_for_anonymous_readers_is_fetched(registry: Registry) -> None:
    registry.token = "anybody"
    registry.challenge = f'Bearer realm="http://{registry.address}/token",service="here",scope="repository:team/dama-train:pull"'
    check_image(registry.image())
    assert registry.asked[1] == "/token?service=here&scope=repository%3Ateam%2Fdama-train%3Apull"
    assert len(registry.asked) == 3


def _fails(registry: Registry, error: type[StorageError], digest: str = DIGEST) -> str:
    with pytest.raises(error) as caught:
        check_image(registry.image(digest), timeout_seconds=5)
    return str(caught.value)


def test_an_image_that_is_not_there_is_missing(registry: Registry) -> None:
    assert "has no image sha256:000" in _fails(registry, ObjectMissing, "sha256:" + 64 * "0")


def test_other_bytes_than_the_digests_are_corrupt(registry: Registry) -> None:
    registry.body = b"{}"
    assert "with the bytes of" in _fails(registry, CorruptArtifact)


@pytest.mark.parametrize("challenge", ['Basic realm="x"', 'Bearer realm="ftp://x/token"', "Bearer"])
def test_a_registry_that_wants_a_login_is_told(registry: Registry, challenge: str) -> None:
    registry.challenge, registry.token = challenge, "secret"
    assert "pull secret" in _fails(registry, AccessRefused)
    assert len(registry.asked) == 1


def test_a_token_that_does_not_help_is_a_refusal(registry: Registry) -> None:
    registry.challenge = f'Bearer realm="http://{registry.address}/token"'
    assert "pull secret" in _fails(registry, AccessRefused)


def test_a_server_error_is_no_answer(registry: Registry) -> None:
    registry.status = 503
    assert "answers 503" in _fails(registry, StoreUnreachable)


def test_an_endless_answer_is_not_read(registry: Registry) -> None:
    registry.body = bytes(5 << 20)
    assert "more than 4 MiB" in _fails(registry, StoreUnreachable)


def test_nobody_there_is_no_answer() -> None:
    with pytest.raises(StoreUnreachable, match="does not answer"):
        check_image(f"127.0.0.1:9/team/dama-train:1@{DIGEST}", timeout_seconds=5)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("docker.io/library/python:3.12", "https://registry-1.docker.io/v2/library/python/manifests/"),
        ("localhost:5000/dama-train:1", "http://localhost:5000/v2/dama-train/manifests/"),
        ("ghcr.io/team/dama:1.0-cuda", "https://ghcr.io/v2/team/dama/manifests/"),
        ("registry.example.org:8443/a/b/c:x", "https://registry.example.org:8443/v2/a/b/c/manifests/"),
    ],
)
def test_where_a_manifest_lies(text: str, address: str) -> None:
    assert Reference.parse(f"{text}@{DIGEST}").address == address + DIGEST


@pytest.mark.parametrize("text", ["python:3.12", "docker.io/library/python:3.12", "docker.io/x@" + DIGEST])
def test_a_reference_without_all_its_parts_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not REGISTRY/PATH:TAG@sha256:DIGEST"):
        Reference.parse(text)
