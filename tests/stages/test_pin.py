"""All pods of a run read what the first one froze, whatever names stand for later."""

from __future__ import annotations

from pathlib import Path

import pytest

from dama.errors import SpecError, StoreUnreachable
from dama.spec.load import parse
from dama.stages.pin import find_pinned, patiently, pinned
from dama.storage.local import LocalStore


def test_what_changes_later_does_not_change_the_run(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text('{"image": "a.png", "prompt": "p", "chosen": "c", "rejected": "r"}\n')
    text = f"model: tiny\ndata: {{kind: jsonl, uri: {file}}}"
    spec, store = parse(text, folder=tmp_path), LocalStore(tmp_path / "store")
    assert find_pinned(spec, store) is None
    first = pinned(spec, store)
    assert first.data.kind == "jsonl"
    assert first.data.digest is not None
    file.write_text(file.read_text() * 2)
    assert pinned(spec, store) == first
    assert find_pinned(spec, store) == first


def test_run_files_that_differ_are_pinned_apart(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    one, other = (
        pinned(parse(f"{{model: tiny, method: {{beta: {beta}}}}}", folder=tmp_path), store) for beta in (1, 2)
    )
    assert one != other
    assert len(list(store.keys("pins/"))) == 2


def test_a_pin_that_somebody_damaged_is_refused(tmp_path: Path) -> None:
    store, spec = LocalStore(tmp_path), parse("model: tiny", folder=tmp_path)
    pinned(spec, store)
    (key,) = store.keys("pins/")
    store.put_bytes(key, b"model: 7")
    with pytest.raises(SpecError, match="pins/"):
        pinned(spec, store)


def test_a_store_that_does_not_answer_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dama.stages.pin._PAUSE_SECONDS", 0.0)
    answers = iter([StoreUnreachable("not yet"), StoreUnreachable("not yet"), None])
    said: list[str] = []

    def ask() -> str:
        if error := next(answers):
            raise error
        return "there"

    assert patiently(ask, said.append) == "there"
    assert said == ["waiting for the store: not yet"] * 2


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dama.stages.pin._PAUSE_SECONDS", 0.0)

    def ask() -> str:
        raise StoreUnreachable("never")

    with pytest.raises(StoreUnreachable):
        patiently(ask, lambda line: None, seconds=-1.0)
