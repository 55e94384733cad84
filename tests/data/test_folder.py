"""A benchmark's folder, wherever a run file says it lies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from s3_servers import ACCESS, BUCKET, KEYS, SECRET, boto, moto

from dama.data.folder import local_folder
from dama.errors import DataError
from dama.spec.storage import StorageSpec


def test_a_local_folder_stays_where_it_is(tmp_path: Path) -> None:
    for uri in (str(tmp_path), f"file://{tmp_path}"):
        assert local_folder(uri, StorageSpec(), tmp_path / "scratch") == tmp_path


def test_a_folder_in_s3_is_fetched_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEYS["access_key"], ACCESS)
    monkeypatch.setenv(KEYS["secret_key"], SECRET)
    with moto() as address:
        client = boto(address)
        client.create_bucket(Bucket=BUCKET)
        for key in ("amber/a.json", "amber/image/b.jpg", "other/c"):
            client.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
        client.close()
        storage = StorageSpec.model_validate({"endpoint_url": address, "path_style": True, "keys": KEYS})
        folder = local_folder(f"s3://{BUCKET}/amber/", storage, tmp_path / "scratch")
        with pytest.raises(DataError, match="holds nothing"):
            local_folder(f"s3://{BUCKET}/none", storage, tmp_path / "scratch")
    found = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.*")}
    assert found == {"a.json": "amber/a.json", "image/b.jpg": "amber/image/b.jpg"}


def test_the_hub_out_of_reach_is_said(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from dama.data.folder import local_folder\n"
        "from dama.spec.storage import StorageSpec\n"
        "local_folder('hf://nobody-here/none@main', StorageSpec(), Path('.'))"
    )
    paths = ":".join(filter(None, sys.path))
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": paths}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )
    assert "hf://nobody-here/none@main cannot be read from the hub" in said.stderr
