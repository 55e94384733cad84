"""Checkpoints in the store: newest whole one wins, corrupt ones are passed over."""

import logging
from pathlib import Path

import pytest
import torch

from dama.errors import TrainingError
from dama.storage.local import LocalStore
from dama.train.checkpoint import Checkpoints
from dama.train.weights_only import WeightsOnlyEngine


def _saved(tmp_path: Path, steps: list[int], keep_last: int = 2, ranks: int = 2) -> Checkpoints:
    checkpoints = Checkpoints(LocalStore(tmp_path / "store"), "artifacts/train/x", keep_last)
    for step in steps:
        folder = tmp_path / f"made-{step}"
        folder.mkdir()
        (folder / "state").write_text(f"state of {step}")
        checkpoints.save(step, folder, {"step": step, "ranks": ranks})
    return checkpoints


def _part(tmp_path: Path, step: int) -> Path:
    return tmp_path / "store" / "artifacts" / "train" / "x" / "checkpoints" / f"step-{step:06d}" / "state"


def test_the_last_ones_are_kept(tmp_path: Path) -> None:
    assert _saved(tmp_path, [10, 20, 30, 40], keep_last=3).steps() == [20, 30, 40]
    assert not _part(tmp_path, 10).exists()


def test_the_newest_is_found(tmp_path: Path) -> None:
    found = _saved(tmp_path, [90, 100, 110]).newest(tmp_path / "scratch", ranks=2)
    assert found is not None
    folder, meta = found
    assert (folder / "state").read_text() == "state of 110"
    assert meta["step"] == 110


def test_nothing_saved_nothing_found(tmp_path: Path) -> None:
    assert _saved(tmp_path, []).newest(tmp_path / "scratch", ranks=2) is None


@pytest.mark.parametrize("harm", ["flip", "remove"])
def test_a_corrupt_one_is_passed_over_with_a_warning(
    tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = _saved(tmp_path, [10, 20])
    part = _part(tmp_path, 20)
    if harm == "remove":
        part.unlink()
    else:
        data = bytearray(part.read_bytes())
        data[3] ^= 1
        part.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        found = checkpoints.newest(tmp_path / "scratch", ranks=2)
    assert found is not None
    assert found[1]["step"] == 10
    assert "checkpoint of step 20 is passed over" in caplog.text


def test_one_without_its_commit_does_not_count(tmp_path: Path) -> None:
    checkpoints = _saved(tmp_path, [10, 20])
    (_part(tmp_path, 20).parent / "commit.json").unlink()
    assert checkpoints.steps() == [10]


def test_another_number_of_ranks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="saved by 2 ranks, and there are 4"):
        _saved(tmp_path, [10]).newest(tmp_path / "scratch", ranks=4)


class _Malicious:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("this would be code from a checkpoint",))


def test_a_checkpoint_that_holds_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"state": _Malicious()}, tmp_path / "x.pt")
    with pytest.raises(TrainingError, match=r"x\.pt of the checkpoint cannot be read as plain data"):
        WeightsOnlyEngine(None).load(str(tmp_path / "x.pt"))
    assert "code" not in capsys.readouterr().out


def test_plain_tensors_are_read(tmp_path: Path) -> None:
    torch.save({"weight": torch.arange(3), "step": 4}, tmp_path / "x.pt")
    found = WeightsOnlyEngine(None).load(str(tmp_path / "x.pt"))
    assert found["weight"].tolist() == [0, 1, 2]
    assert found["step"] == 4
