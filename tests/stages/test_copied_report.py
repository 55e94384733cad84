"""A published report is copied whole into a folder of the person's choice."""

from __future__ import annotations

from pathlib import Path

import pytest

from dama.errors import StorageError
from dama.stages.publish import copied_report
from dama.storage.local import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A store with one run's report, and another's."""
    made = LocalStore(tmp_path / "store")
    for key in ("report.html", "figures/one.png", "figures/two.png"):
        made.put_bytes(f"runs/mine/report/{key}", key.encode())
    made.put_bytes("runs/mine/summary.json", b"{}")
    made.put_bytes("runs/mine-too/report/report.html", b"another's")
    return made


def test_every_file_of_the_report_and_no_other_is_copied(store: LocalStore, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    page = copied_report(store, "mine", folder)
    assert page.read_bytes() == b"report.html"
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {"report.html", "figures/one.png", "figures/two.png"}


def test_what_lies_there_stays_and_an_older_report_is_replaced(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "report.html").write_text("old")
    assert copied_report(store, "mine", tmp_path).read_bytes() == b"report.html"
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_that_is_a_file_is_told(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match="taken"):
        copied_report(store, "mine", tmp_path / "taken")
