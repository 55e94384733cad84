"""Checkpoints in S3: in parts, verified on the way back, the corrupt one passed over."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_servers import ACCESS, BUCKET, KEYS, SECRET, SMALL_PARTS, Server, boto, moto

from dama.storage.s3 import S3Store
from dama.train.checkpoint import Checkpoints
from dama.train.resume import newest
from dama.train.upload import Uploads


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch, moto() as address:
        patch.setenv(KEYS["access_key"], ACCESS)
        patch.setenv(KEYS["secret_key"], SECRET)
        boto(address).create_bucket(Bucket=BUCKET)
        yield Server("moto", address)


def _state(folder: Path, step: int) -> bytes:
    folder.mkdir(parents=True)
    large = step.to_bytes(2, "big") * (SMALL_PARTS // 2 + 1000)
    (folder / "large").write_bytes(large)
    (folder / "small").write_text("small")
    return large


def test_checkpoints_travel_to_s3_and_back(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store: S3Store = server.store("run")
    checkpoints = Checkpoints(store, "train", 2, {"training": "t" * 64})
    uploads, states = Uploads(checkpoints), {}
    for step in (5, 10, 15):
        uploads.settle()
        states[step] = _state(tmp_path / f"step-{step}", step)
        uploads.begin(step, tmp_path / f"step-{step}", {"ranks": 1})
    uploads.settle(last=True)
    assert checkpoints.steps() == [10, 15]
    tag = server.client.head_object(Bucket=BUCKET, Key="run/train/checkpoints/step-000015/large")["ETag"]
    assert tag.strip('"').endswith("-2"), "it went in two parts"
    found = newest(checkpoints, tmp_path / "resume")
    assert found is not None
    assert (found.folder / "large").read_bytes() == states[15]
    found.discard()
    assert not found.folder.exists()

    store.put_bytes("train/checkpoints/step-000015/large", states[15][:-1] + b"!")
    with caplog.at_level(logging.WARNING):
        found = newest(checkpoints, tmp_path / "resume")
    assert found is not None
    assert found.step == 10
    assert (found.folder / "large").read_bytes() == states[10]
    assert "the checkpoint of step 15 is passed over" in caplog.text
