"""The artifact of stage data: nothing lost, nothing doubled, same rows same bytes."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import warnings
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from dataset_files import picture, rlaif_row
from hypothesis import given, settings
from hypothesis import strategies as st

from dama.data import rlaif_v
from dama.data.ingest import ImageWriter, ingest
from dama.data.parquet import write_rows
from dama.data.row import Row
from dama.data.table import IMAGE_SCHEMA, IMAGES, ImageTable, PreferenceTable
from dama.data.validate import Judge
from dama.errors import DataError


def judge() -> Judge:
    return Judge(rlaif_v.draft, 10_000)


def rows(*bad: int, count: int = 6) -> list[Row]:
    return [Row(n, rlaif_row(n, **({"chosen": ""} if n in bad else {}))) for n in range(1, count + 1)]


def test_every_row_ends_as_a_preference_or_in_quarantine(tmp_path: Path) -> None:
    meta = ingest(rows(2, 5), judge(), tmp_path)
    assert meta == {
        "rows": 6,
        "preferences": 4,
        "quarantined": 2,
        "images": 4,
        "reasons": {"empty chosen": 2},
    }
    lines = [json.loads(line) for line in (tmp_path / "quarantine.jsonl").read_text().splitlines()]
    assert lines == [
        {"row": 2, "id": "row-0000002-2", "reason": "empty chosen"},
        {"row": 5, "id": "row-0000005-5", "reason": "empty chosen"},
    ]
    table = PreferenceTable(tmp_path)
    assert table.ids() == [f"row-000000{n}-{n}" for n in (1, 3, 4, 6)]
    assert [p.id for p in table] == table.ids()
    assert [table[index] for index in range(4)] == list(table)
    assert table[-1] == table[3]
    with pytest.raises(IndexError):
        table[4]


@given(st.lists(st.sampled_from(["good", "empty chosen", "empty rejected", "missing image"]), max_size=30))
@settings(max_examples=25, deadline=None)
def test_counts_in_are_counts_out(tmp_path_factory: pytest.TempPathFactory, kinds: list[str]) -> None:
    folder = tmp_path_factory.mktemp("ingest")
    change = {"good": {}, "empty chosen": {"chosen": ""}, "empty rejected": {"rejected": " "}}
    given_rows = [
        Row(n, rlaif_row(n, **change.get(kind, {"image": None}))) for n, kind in enumerate(kinds, 1)
    ]
    if "good" not in kinds:
        with pytest.raises(DataError, match=r"none of \d+ rows can be used" if kinds else "has no rows"):
            ingest(given_rows, judge(), folder)
        return
    meta = ingest(given_rows, judge(), folder)
    assert meta["preferences"] == kinds.count("good") == len(PreferenceTable(folder))
    assert meta["rows"] == len(kinds) == meta["preferences"] + meta["quarantined"]
    assert meta["reasons"] == {kind: kinds.count(kind) for kind in sorted(set(kinds) - {"good"})}


def test_strict_stops_at_the_first_bad_row(tmp_path: Path) -> None:
    seen: list[int] = []
    with pytest.raises(DataError, match=r"row 3 \(row-0000003-3\): empty chosen"):
        ingest(rows(3, 4), judge(), tmp_path, strict=True, advance=seen.append)
    assert len(seen) == 3


def test_a_dataset_without_a_usable_row_names_the_first(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of 2 rows can be used; the first, row 1: empty chosen"):
        ingest(rows(1, 2, count=2), judge(), tmp_path)


def test_equal_rows_leave_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        ingest(rows(2), judge(), tmp_path / name)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["images-00000.bin", "images.parquet", "preferences.parquet", "quarantine.jsonl"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_an_image_is_kept_once(tmp_path: Path) -> None:
    image = {"bytes": picture(1), "path": None}
    meta = ingest([Row(n, rlaif_row(n, image=image)) for n in (1, 2, 3)], judge(), tmp_path)
    assert meta["images"] == 1
    images = PreferenceTable(tmp_path).images()
    assert len(images) == 1
    assert images.read(next(iter(images))) == picture(1)
    assert images.open(next(iter(images))).mode == "RGB"
    assert (tmp_path / "images-00000.bin").stat().st_size == len(picture(1))
    assert "0" * 64 not in images
    with pytest.raises(KeyError):
        images.read("0" * 64)


def test_row_groups_hold_1024(tmp_path: Path) -> None:
    image = {"bytes": picture(1), "path": None}
    ingest((Row(n, rlaif_row(n, image=image)) for n in range(1, 1501)), judge(), tmp_path)
    metadata = pq.read_metadata(tmp_path / "preferences.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [1024, 476]
    assert PreferenceTable(tmp_path)[1400].chosen == "There are 1401 stars."


def written_images(folder: Path) -> ImageTable:
    writer = ImageWriter(folder, file_bytes=100)
    for number in range(8):
        writer.add(f"{number:064d}", bytes([number]) * 60)
        writer.add(f"{number:064d}", b"again")
    writer.close()
    write_rows(folder / IMAGES, IMAGE_SCHEMA, writer.rows())
    return ImageTable(folder)


def test_a_full_file_is_followed_by_a_new_one(tmp_path: Path) -> None:
    images = written_images(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.bin")) == [f"images-0000{n}.bin" for n in range(4)]
    assert [images.read(key) for key in images] == [bytes([number]) * 60 for number in range(8)]


def _reads(images: ImageTable, number: int, rounds: int) -> bool:
    return all(images.read(f"{number:064d}") == bytes([number]) * 60 for _ in range(rounds))


def test_readers_share_files_after_a_fork(tmp_path: Path) -> None:
    images = written_images(tmp_path)
    assert _reads(images, 0, 1)  # the file is open before the fork
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pytest may run threads; the child only reads
        child = os.fork()
    if child == 0:
        os._exit(0 if _reads(images, 1, 2000) else 1)
    assert _reads(images, 0, 2000)
    assert os.waitpid(child, 0)[1] == 0


def test_tables_travel_to_other_processes(tmp_path: Path) -> None:
    ingest(rows(), judge(), tmp_path)
    table = PreferenceTable(tmp_path)
    images = table.images()
    assert images.read(table[0].image) == picture(1)
    assert pickle.loads(pickle.dumps(table))[1] == table[1]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(images.read, (table[2].image,)) == picture(3)


def test_a_short_image_file_is_told(tmp_path: Path) -> None:
    images = written_images(tmp_path)
    (tmp_path / "images-00000.bin").write_bytes(b"\0" * 70)
    with pytest.raises(DataError, match="ends before image"):
        images.read(f"{1:064d}")


@pytest.mark.skipif("DAMA_SAMPLE_DATA" not in os.environ, reason="DAMA_SAMPLE_DATA names no parquet file")
def test_twenty_photographs_are_all_kept(tmp_path: Path) -> None:
    from dama.data.source import open_source
    from dama.spec.data import RlaifV
    from dama.spec.storage import StorageSpec

    source = open_source(RlaifV(uri=os.environ["DAMA_SAMPLE_DATA"]), StorageSpec(), tmp_path)
    meta = ingest(source.rows(), source.judge(), tmp_path)
    assert (meta["preferences"], meta["quarantined"]) == (20, 0)
    images = PreferenceTable(tmp_path).images()
    assert all(min(images.open(key).size) > 100 for key in images)
