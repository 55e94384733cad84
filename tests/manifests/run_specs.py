"""Run files for tests of manifests: images that were pushed, and every way to ask for a cluster."""

from __future__ import annotations

from collections.abc import Sequence

from dama.manifests.placed import placed
from dama.spec.load import parse
from dama.spec.run import RunSpec

IMAGES = {
    name: f"registry.example.org/dama/{name}:1@sha256:{number * 64}"
    for name, number in (("preprocess", "1"), ("train", "2"), ("control", "3"), ("store", "4"))
}
BUCKET = {
    "storage": {
        "uri": "s3://alignment/dama",
        "endpoint_url": "https://s3.example.org:9000",
        "path_style": True,
        "keys": {"access_key": "S3_ACCESS_KEY", "secret_key": "S3_SECRET_KEY"},
    },
    "cluster": {"secret": "s3-keys"},
}


def run_spec(text: str = "model: llava-7b", overrides: Sequence[str] = ()) -> RunSpec:
    """Return the placed run file that `text` and overrides make."""
    return placed(parse(text, overrides, folder=None), lambda: IMAGES)
