"""Datasets of the hub: streamed, nailed to a commit, and told when out of reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from dataset_files import picture, rlaif_row, write_rlaif

from dama.data.hub import parse_hub, resolve_revision, stream_rows
from dama.data.rlaif_v import COLUMNS, OPTIONAL
from dama.errors import DataError


def test_a_hub_dataset_streams_with_its_images_encoded(tmp_path: Path) -> None:
    from datasets import Features, Image, Value, load_dataset

    write_rlaif(tmp_path / "train.parquet", [rlaif_row(number) for number in range(5)])
    names = ("question", "chosen", "rejected", "origin_dataset")
    features = Features(
        {"image": Image(), **{name: Value("string") for name in names}, "idx": Value("int64")}
    )
    dataset = load_dataset(
        "parquet",
        data_files=str(tmp_path / "train.parquet"),
        features=features,
        split="train",
        streaming=True,
    )
    rows = list(stream_rows(dataset, "hf://o/n", COLUMNS, OPTIONAL))
    assert [row.number for row in rows] == [1, 2, 3, 4, 5]
    assert rows[2].values["image"]["bytes"] == picture(2)
    with pytest.raises(DataError, match="hf://o/n has no column 'absent'"):
        list(stream_rows(dataset, "hf://o/n", ("absent",), ()))


def test_a_hub_address_is_taken_apart_and_a_commit_is_left_alone() -> None:
    assert parse_hub("hf://a/b") == ("a/b", "main")
    assert parse_hub("hf://a/b@v1.0/x") == ("a/b", "v1.0/x")
    frozen = "hf://a/b@" + "0a" * 20
    assert resolve_revision(frozen) == frozen


class _Hub(BaseHTTPRequestHandler):
    """As much of the hub as resolving a revision asks for."""

    def do_GET(self) -> None:
        answers = {"/api/datasets/a/b/revision/main": {"id": "a/b", "sha": "c0" * 20}}
        body = json.dumps(answers.get(self.path.partition("?")[0], {"error": "none"})).encode()
        self.send_response(200 if self.path.partition("?")[0] in answers else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_branch_of_the_hub_is_nailed_to_its_commit() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hub) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            endpoint = f"http://127.0.0.1:{server.server_port}"
            assert resolve_revision("hf://a/b", endpoint) == "hf://a/b@" + "c0" * 20
            with pytest.raises(DataError, match="hf://a/b@none cannot be read from the hub"):
                resolve_revision("hf://a/b@none", endpoint)
        finally:
            server.shutdown()
            thread.join()


def test_without_the_hub_its_datasets_are_told_to_be_out_of_reach() -> None:
    program = (
        "from dama.data.hub import hub_rows\n"
        "from dama.errors import DataError\n"
        "try:\n    next(hub_rows('hf://nobody/nothing@main', 'train', ('image',), ()))\n"
        "except DataError as error:\n    print(error)\n"
    )
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("hf://nobody/nothing@main cannot be read from the hub")
