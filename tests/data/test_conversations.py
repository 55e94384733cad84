"""TRL's conversational rows become preferences when they hold one question and one answer a side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import picture, source_rows, write_jsonl

from dama.data.row import RowFault
from dama.spec.data import Conversations


def message(role: str, content: object) -> list[dict[str, object]]:
    return [{"role": role, "content": content}]


def conversation(**changes: Any) -> dict[str, Any]:
    row = {
        "images": ["1.png"],
        "prompt": message("user", [{"type": "image"}, {"type": "text", "text": "What?"}]),
        "chosen": message("assistant", [{"type": "text", "text": "Stars."}]),
        "rejected": message("assistant", "Circles."),
    }
    return row | changes


def test_conversations_become_preferences(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(picture(1, form="PNG"))
    path = write_jsonl(tmp_path / "a.jsonl", [conversation(id="x"), conversation(images="1.png")])
    rows, judge = source_rows(Conversations(uri=str(path)), tmp_path)
    first, second = (judge.judge(row)[0] for row in rows)
    assert (first.id, first.prompt, first.chosen, first.rejected) == ("x", "What?", "Stars.", "Circles.")
    assert second.image == first.image


def test_conversations_in_parquet_carry_images_or_paths(tmp_path: Path) -> None:
    parts = pa.list_(pa.struct([("type", pa.string()), ("text", pa.string())]))
    messages = pa.list_(pa.struct([("role", pa.string()), ("content", parts)]))
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema(
        {"images": pa.list_(image), "prompt": messages, "chosen": messages, "rejected": messages}
    )
    text = [{"type": "text", "text": "Circles."}]
    row = conversation(images=[{"bytes": picture(1), "path": None}], rejected=message("assistant", text))
    other = {**row, "images": [{"bytes": None, "path": "2.jpg"}]}
    pq.write_table(pa.Table.from_pylist([row, other], schema=schema), tmp_path / "a.parquet")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "2.jpg").write_bytes(picture(2))
    spec = Conversations(uri=str(tmp_path / "a.parquet"), images=str(tmp_path / "pictures"))
    rows, judge = source_rows(spec, tmp_path)
    assert [judge.judge(row)[1] for row in rows] == [picture(1), picture(2)]
    assert judge.judge(rows[0].__class__(9, rows[0].values))[0].prompt == "What?"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"images": []}, "missing image"),
        ({"images": ["1.png", "2.png"]}, "several images"),
        ({"images": [3]}, "wrong type"),
        ({"prompt": "What?"}, "wrong type"),
        ({"prompt": message("user", "a") + message("assistant", "b")}, "wrong type"),
        ({"prompt": message("system", "a")}, "wrong type"),
        ({"chosen": message("user", "a")}, "wrong type"),
        ({"chosen": message("assistant", 3)}, "wrong type"),
        ({"chosen": message("assistant", [{"type": "video"}])}, "wrong type"),
        ({"chosen": message("assistant", ["text"])}, "wrong type"),
        ({"rejected": []}, "wrong type"),
        ({"rejected": message("assistant", [])}, "empty rejected"),
    ],
)
def test_conversations_of_another_shape_say_so(tmp_path: Path, changes: dict[str, Any], kind: str) -> None:
    (tmp_path / "1.png").write_bytes(picture(1, form="PNG"))
    path = write_jsonl(tmp_path / "a.jsonl", [conversation(**changes)])
    rows, judge = source_rows(Conversations(uri=str(path)), tmp_path)
    with pytest.raises(RowFault) as caught:
        judge.judge(rows[0])
    assert caught.value.kind == kind
