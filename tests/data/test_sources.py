"""Rows come out of every kind of source, in order, a few at a time; broken files say which and where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import jsonl_row, picture, rlaif_row, source_rows, write_jsonl, write_rlaif
from s3_servers import moto

from dama.data import jsonl
from dama.data.fingerprint import fingerprint
from dama.data.parquet import read_foreign
from dama.data.rlaif_v import COLUMNS, OPTIONAL
from dama.data.row import RowFault
from dama.data.source import open_source
from dama.errors import DataError
from dama.spec.data import Conversations, Jsonl, MiniatureData, RlaifV
from dama.spec.storage import EnvKeys, StorageSpec


def test_a_folder_of_parquet_is_read_in_order_of_names(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "b").mkdir(parents=True)
    write_rlaif(folder / "b" / "0.parquet", [rlaif_row(5)])
    write_rlaif(folder / "a.parquet", [rlaif_row(number) for number in (1, 2)])
    (folder / "notes.txt").write_text("not data")
    rows, _ = source_rows(RlaifV(uri=str(folder)), tmp_path)
    assert [(row.number, row.values["idx"]) for row in rows] == [(1, 1), (2, 2), (3, 5)]


def test_limit_reads_no_further(tmp_path: Path) -> None:
    path = write_rlaif(tmp_path / "a.parquet", [rlaif_row(number) for number in range(40)])
    rows, _ = source_rows(RlaifV(uri=f"file://{path}", limit=3), tmp_path)
    assert [row.values["idx"] for row in rows] == [0, 1, 2]


def test_a_missing_column_is_named_with_its_file(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([rlaif_row(1)]).drop_columns(["rejected"])
    pq.write_table(table, tmp_path / "short.parquet")
    with pytest.raises(DataError, match=r"short\.parquet has no column 'rejected'"):
        source_rows(RlaifV(uri=str(tmp_path / "short.parquet")), tmp_path)


@pytest.mark.parametrize("keep", [0, 3, 100, -1])
def test_a_truncated_parquet_is_named(tmp_path: Path, keep: int) -> None:
    path = write_rlaif(tmp_path / "cut.parquet", [rlaif_row(1), rlaif_row(2)])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"cut\.parquet cannot be read as parquet"):
        source_rows(RlaifV(uri=str(path)), tmp_path)


def test_a_parquet_damaged_in_the_middle_is_named(tmp_path: Path) -> None:
    path = write_rlaif(tmp_path / "worn.parquet", [rlaif_row(number) for number in range(50)])
    data = bytearray(path.read_bytes())
    data[4:4000] = b"\xff" * 3996
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"worn\.parquet cannot be read as parquet"):
        source_rows(RlaifV(uri=str(path)), tmp_path)


def test_text_that_is_not_utf8_is_a_fault_of_its_row(tmp_path: Path) -> None:
    broken = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff\xfe"], pa.binary()).buffers())
    table = pa.Table.from_pylist([rlaif_row(1), rlaif_row(2)]).set_column(2, "chosen", broken)
    pq.write_table(table, tmp_path / "a.parquet")
    rows, _ = source_rows(RlaifV(uri=str(tmp_path / "a.parquet")), tmp_path)
    assert rows[0].fault is None
    assert isinstance(rows[1].fault, RowFault)
    assert str(rows[1].fault) == "not UTF-8: column 'chosen'"


@pytest.mark.parametrize(("group", "page"), [(1000, 8), (20, 1000)])
def test_only_a_page_of_a_big_file_is_held(tmp_path: Path, group: int, page: int) -> None:
    path = tmp_path / "big.parquet"
    images = [{"bytes": bytes([number]) + b"\x07" * 250_000, "path": None} for number in range(240)]
    table = pa.Table.from_pylist([rlaif_row(1, image=image) for image in images])
    pq.write_table(
        table, path, row_group_size=group, write_batch_size=page, compression="none", use_dictionary=False
    )
    assert path.stat().st_size > 60_000_000
    del table, images
    before, most = pa.total_allocated_bytes(), 0
    for row in read_foreign(path, "big", COLUMNS, OPTIONAL):
        assert len(row.values["image"]["bytes"]) == 250_001
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 20_000_000


@pytest.mark.parametrize("spec", [RlaifV, Jsonl, Conversations])
def test_an_absent_place_is_named(tmp_path: Path, spec: type[RlaifV]) -> None:
    with pytest.raises(DataError, match="nowhere"):
        open_source(spec(uri=str(tmp_path / "nowhere")), StorageSpec(), tmp_path)


def test_empty_and_wrong_places_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no \.parquet"):
        open_source(RlaifV(uri=str(tmp_path)), StorageSpec(), tmp_path)
    with pytest.raises(DataError, match="is a folder"):
        open_source(Jsonl(uri=str(tmp_path)), StorageSpec(), tmp_path)
    path = write_jsonl(tmp_path / "a.jsonl", [jsonl_row(1)])
    with pytest.raises(DataError, match="is no folder"):
        open_source(Jsonl(uri=str(path), images=str(tmp_path / "none")), StorageSpec(), tmp_path)
    with pytest.raises(DataError, match=r"data\.images"):
        open_source(Jsonl(uri=str(path), images="hf://a/b"), StorageSpec(), tmp_path)
    with pytest.raises(DataError, match="stage world"):
        open_source(MiniatureData(), StorageSpec(), tmp_path)


def test_each_bad_line_is_a_fault_of_its_own(tmp_path: Path) -> None:
    lines = [
        b"\xef\xbb\xbf" + json.dumps(jsonl_row(1)).encode(),
        b"",
        b"{not json",
        b'{"image": "\xff"}',
        b"[1, 2]",
        b"[" * 100_000,
        json.dumps(jsonl_row(7)).encode(),
    ]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\r\n".join(lines))
    rows = list(jsonl.read_lines(path, "a.jsonl"))
    assert [row.number for row in rows] == [1, 3, 4, 5, 6, 7]
    faults = [row.fault.kind if row.fault else None for row in rows]
    assert faults == [None, "invalid JSON", "not UTF-8", "wrong type", "invalid JSON", None]


def test_an_endless_line_is_a_fault_and_reading_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "LONGEST_LINE", 200)
    path = tmp_path / "a.jsonl"
    path.write_text("x" * 1000 + "\n" + json.dumps(jsonl_row(2)) + "\n" + "y" * 1000)
    rows = list(jsonl.read_lines(path, "a.jsonl"))
    assert [(row.number, row.fault.kind if row.fault else None) for row in rows] == [
        (1, "line too long"),
        (2, None),
        (3, "line too long"),
    ]


def test_a_fingerprint_follows_content_and_not_place(tmp_path: Path) -> None:
    places = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "1.png").write_bytes(picture(1, form="PNG"))
        write_jsonl(folder / "a.jsonl", [jsonl_row(1), jsonl_row(2), "{broken", jsonl_row(3, prompt=None)])
        places.append(folder)
    one, two = (fingerprint(Jsonl(uri=str(folder / "a.jsonl")), StorageSpec()) for folder in places)
    assert one == two
    (places[1] / "1.png").write_bytes(picture(2, form="PNG"))
    assert fingerprint(Jsonl(uri=str(places[1] / "a.jsonl")), StorageSpec()) != one
    (places[1] / "1.png").write_bytes(picture(1, form="PNG"))
    (places[1] / "unused.png").write_bytes(b"x")
    assert fingerprint(Jsonl(uri=str(places[1] / "a.jsonl")), StorageSpec()) == one
    (places[1] / "2.png").write_bytes(picture(2, form="PNG"))
    assert fingerprint(Jsonl(uri=str(places[1] / "a.jsonl")), StorageSpec()) != one


def test_fingerprints_of_the_hub_and_of_the_world(tmp_path: Path) -> None:
    storage = StorageSpec(scratch=str(tmp_path / "scratch"))
    train = fingerprint(RlaifV(uri="hf://a/b@1"), storage)
    assert train != fingerprint(RlaifV(uri="hf://a/b@2"), storage)
    assert train != fingerprint(RlaifV(uri="hf://a/b@1", split="test"), storage)
    with pytest.raises(ValueError, match="named by the world"):
        fingerprint(MiniatureData(), storage)
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with moto() as address:
        yield address


def test_a_dataset_in_s3_reads_as_it_does_locally(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    monkeypatch.setenv("DATA_ACCESS", "a")
    monkeypatch.setenv("DATA_SECRET", "b")
    client = boto3.client(
        "s3", endpoint_url=bucket, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
    )
    client.create_bucket(Bucket="sets")
    parquet = write_rlaif(tmp_path / "a.parquet", [rlaif_row(1), rlaif_row(2)])
    lines = write_jsonl(tmp_path / "a.jsonl", [jsonl_row(1), jsonl_row(2), jsonl_row(1, image="../x")])
    (tmp_path / "1.png").write_bytes(picture(1, form="PNG"))
    for key, path in {
        "rlaif/a.parquet": parquet,
        "lines/a.jsonl": lines,
        "lines/1.png": tmp_path / "1.png",
        "top.parquet": parquet,
    }.items():
        client.upload_file(str(path), "sets", key)
    client.close()
    storage = StorageSpec(
        uri="s3://elsewhere/runs",
        endpoint_url=bucket,
        path_style=True,
        keys=EnvKeys(access_key="DATA_ACCESS", secret_key="DATA_SECRET"),
    )
    local = fingerprint(RlaifV(uri=str(parquet)), StorageSpec())
    for uri in ("s3://sets/rlaif", "s3://sets/rlaif/a.parquet"):
        assert fingerprint(RlaifV(uri=uri), storage) == local
    assert fingerprint(RlaifV(uri="s3://sets/top.parquet"), storage) != local  # another name
    source = open_source(Jsonl(uri="s3://sets/lines/a.jsonl"), storage, tmp_path / "scratch")
    judge, outcomes = source.judge(), []
    for row in source.rows():
        try:
            outcomes.append(judge.judge(row)[0].chosen)
        except RowFault as fault:
            outcomes.append(fault.kind)
    assert outcomes == ["1 stars", "missing image", "path leaves the image folder"]
    for spec in (
        RlaifV(uri="s3://sets/none"),
        Jsonl(uri="s3://sets/lines/none.jsonl"),
        Jsonl(uri="s3://sets"),
    ):
        with pytest.raises(DataError, match=r"is not there|holds no"):
            open_source(spec, storage, tmp_path / "scratch")
