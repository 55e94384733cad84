"""Which rows become preferences, and why others do not."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from dataset_files import jsonl_row, noisy_picture, picture, png_that_claims, rlaif_row

from dama.data import jsonl, rlaif_v
from dama.data.images import ImageFolder, check_image
from dama.data.row import Row, RowFault
from dama.data.validate import Judge


def rlaif_judge(max_pixels: int = 10_000) -> Judge:
    return Judge(rlaif_v.draft, max_pixels)


def fault_of(judge: Judge, row: Row) -> str:
    with pytest.raises(RowFault) as caught:
        judge.judge(row)
    return caught.value.kind


def test_a_sound_row_is_kept_word_for_word() -> None:
    row = rlaif_row(3, chosen=" Two lines.\n\nAnd more. ")
    preference, data = rlaif_judge().judge(Row(3, row))
    assert preference.chosen == " Two lines.\n\nAnd more. "
    assert preference.prompt == "What is there?"
    assert preference.source == "drawn"
    assert preference.id == "row-0000003-3"
    assert preference.image == hashlib.sha256(data).hexdigest()
    assert data == picture(3)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"image": None}, "missing image"),
        ({"image": {"bytes": None, "path": "a.jpg"}}, "missing image"),
        ({"image": {"bytes": b"", "path": None}}, "missing image"),
        ({"image": 7}, "wrong type"),
        ({"image": {"bytes": b"no picture at all"}}, "undecodable image"),
        ({"image": {"bytes": noisy_picture()[:-200]}}, "undecodable image"),
        ({"image": {"bytes": noisy_picture()[:20]}}, "undecodable image"),
        ({"image": {"bytes": picture(1, 101)}}, "too many pixels"),
        ({"image": {"bytes": png_that_claims(200, 60)}}, "too many pixels"),
        ({"image": {"bytes": png_that_claims(60_000, 60_000)}}, "too many pixels"),
        ({"question": "  \n"}, "empty prompt"),
        ({"question": None}, "empty prompt"),
        ({"question": 5}, "wrong type"),
        ({"chosen": ""}, "empty chosen"),
        ({"rejected": "\t"}, "empty rejected"),
        ({"rejected": "same.", "chosen": " same.\n"}, "chosen equals rejected"),
        ({"chosen": ["a", "list"]}, "wrong type"),
        ({"chosen": "half \ud800"}, "not UTF-8"),
        ({"chosen": "An <image> of"}, "image mark in text"),
        ({"question": "<image>"}, "empty prompt"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(changes: dict[str, Any], kind: str) -> None:
    assert fault_of(rlaif_judge(), Row(1, rlaif_row(1, **changes))) == kind


def test_a_bomb_is_refused_from_its_header_without_decoding() -> None:
    # The same few bytes pass the size check under a higher limit, and are then found to be no picture.
    bomb = png_that_claims(300, 300)
    with pytest.raises(RowFault, match="300 × 300"):
        check_image(bomb, max_pixels=89_999)
    with pytest.raises(RowFault, match="undecodable"):
        check_image(bomb, max_pixels=90_000)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_the_usual_formats_decode(form: str) -> None:
    assert check_image(picture(5, 30, form), 900) == (30, 30)


def test_other_formats_are_refused() -> None:
    with pytest.raises(RowFault, match="none of JPEG"):
        check_image(picture(5, 30, "ICO"), 10_000)


def test_marks_of_the_image_around_a_prompt_are_dropped() -> None:
    preference, _ = rlaif_judge().judge(Row(1, rlaif_row(1, question="<image>\nWhat is it? <image>")))
    assert preference.prompt == "What is it?"


def test_a_missing_field_is_named() -> None:
    row = rlaif_row(1)
    del row["rejected"]
    with pytest.raises(RowFault, match="missing field: 'rejected'"):
        rlaif_judge().judge(Row(1, row))


def test_idx_need_not_be_unique() -> None:
    judge = rlaif_judge()
    names = {judge.judge(Row(number, rlaif_row(number, idx=7)))[0].id for number in (1, 2, 3)}
    assert names == {"row-0000001-7", "row-0000002-7", "row-0000003-7"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.png").write_bytes(picture(9, form="PNG"))
    root = tmp_path / "images"
    (root / "deep").mkdir(parents=True)
    (root / "1.png").write_bytes(picture(1, form="PNG"))
    (root / "deep" / "2.png").write_bytes(picture(2, form="PNG"))
    return root


def jsonl_judge(folder: Path) -> Judge:
    return Judge(jsonl.draft, 10_000, ImageFolder(folder))


def test_images_are_found_below_their_folder(folder: Path) -> None:
    judge = jsonl_judge(folder)
    assert judge.judge(Row(1, jsonl_row(1)))[1] == picture(1, form="PNG")
    assert judge.judge(Row(2, jsonl_row(2, image="deep/2.png")))[1] == picture(2, form="PNG")


@pytest.mark.parametrize("name", ["../secret.png", "deep/../../secret.png", "/etc/hostname", "ok\x00.png"])
def test_a_path_may_not_leave_the_image_folder(folder: Path, name: str) -> None:
    assert fault_of(jsonl_judge(folder), Row(1, jsonl_row(1, image=name))) == "path leaves the image folder"


def test_a_link_may_not_lead_out_of_the_image_folder(folder: Path) -> None:
    (folder / "file.png").symlink_to(folder.parent / "secret.png")
    (folder / "out").symlink_to(folder.parent)
    (folder / "inside.png").symlink_to(folder / "1.png")
    judge = jsonl_judge(folder)
    for name in ("file.png", "out/secret.png"):
        assert fault_of(judge, Row(1, jsonl_row(1, image=name))) == "path leaves the image folder"
    assert judge.judge(Row(2, jsonl_row(2, image="inside.png")))[1] == picture(1, form="PNG")


def test_what_is_no_file_is_a_missing_image(folder: Path) -> None:
    (folder / "round.png").symlink_to(folder / "round.png")
    os.mkfifo(folder / "pipe.png")
    judge = jsonl_judge(folder)
    for name in ("absent.png", "deep", "round.png", "pipe.png", "x" * 5000):
        assert fault_of(judge, Row(1, jsonl_row(1, image=name))) == "missing image"


def test_an_own_id_must_be_unique_and_a_name(folder: Path) -> None:
    judge = jsonl_judge(folder)
    assert judge.judge(Row(1, jsonl_row(1, id="a")))[0].id == "a"
    assert judge.judge(Row(2, jsonl_row(1, id=5)))[0].id == "5"
    assert fault_of(judge, Row(3, jsonl_row(1, id="a"))) == "repeated id"
    unfit: list[Any] = [True, 1.5, [], " "]
    for wrong in unfit:
        assert fault_of(judge, Row(4, jsonl_row(1, id=wrong))) == "wrong type"
    assert fault_of(judge, Row(4, jsonl_row(1, id="\ud800"))) == "not UTF-8"
    assert judge.name(Row(4, jsonl_row(1, id=[]))) == "row-0000004"


def test_a_refused_row_does_not_use_up_its_id(folder: Path) -> None:
    judge = jsonl_judge(folder)
    assert fault_of(judge, Row(1, jsonl_row(1, id="a", chosen=""))) == "empty chosen"
    assert judge.judge(Row(2, jsonl_row(1, id="a")))[0].id == "a"
