"""Where an image lies, and what its registry says of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dama.cluster.registry import examine_images, split_image
from dama.spec.image import ImagesSpec

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        (f"registry.example.org/dama/train:1@{DIGEST}", ("registry.example.org", "dama/train", DIGEST)),
        ("localhost:5000/x:2", ("localhost:5000", "x", "2")),
        ("python", ("registry-1.docker.io", "library/python", "latest")),
        (f"docker.io/versity/versitygw:v1@{DIGEST}", ("registry-1.docker.io", "versity/versitygw", DIGEST)),
        ("versity/versitygw", ("registry-1.docker.io", "versity/versitygw", "latest")),
    ],
)
def test_an_image_is_split_as_registries_read_it(image: str, parts: tuple[str, str, str]) -> None:
    assert split_image(image) == parts


@pytest.fixture
def registry() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.split("/")[2]
            self.send_response({"there": 200, "secret": 401, "broken": 500}.get(name, 404))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_registry_says_there_not_there_or_nothing(registry: str) -> None:
    names = dict(
        zip(("preprocess", "train", "control", "store"), ("there", "gone", "secret", "broken"), strict=True)
    )
    images = ImagesSpec.model_validate({key: f"{registry}/{name}@{DIGEST}" for key, name in names.items()})
    found = list(examine_images(images))
    assert [one.verdict for one in found] == ["ok", "wrong", "unknown", "unknown"]
    assert found[1].do == "make push REGISTRY=..."


def test_a_registry_out_of_reach_is_unknown() -> None:
    image = f"127.0.0.1:1/x@{DIGEST}"
    images = ImagesSpec(preprocess=image, train=image, control=image, store=image)
    assert {one.verdict for one in examine_images(images)} == {"unknown"}
