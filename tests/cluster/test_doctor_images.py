"""What doctor makes of a registry's answers about a run's images."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dama.cluster.doctor import examine_images
from dama.spec.image import ImagesSpec

BODY = b"{}"
DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


@pytest.fixture
def registry() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.split("/")[2]
            status = {"there": 200, "secret": 403}.get(name, 404)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(BODY if status == 200 else b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_image_is_there_or_not_or_the_registry_does_not_say(registry: str) -> None:
    images = ImagesSpec(
        preprocess=f"{registry}/there:1@{DIGEST}",
        train=f"{registry}/gone:1@{DIGEST}",
        control=f"{registry}/secret:1@{DIGEST}",
        store=f"{registry}/there:1",
    )
    found = list(examine_images(images))
    assert [one.verdict for one in found] == ["ok", "wrong", "unknown", "unknown"]
    assert found[1].do == "make push REGISTRY=..."


def test_a_registry_out_of_reach_is_unknown() -> None:
    image = f"127.0.0.1:1/x:1@{DIGEST}"
    images = ImagesSpec(preprocess=image, train=image, control=image, store=image)
    assert {one.verdict for one in examine_images(images)} == {"unknown"}
