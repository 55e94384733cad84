"""Checkpoints in the store: newest whole one wins, corrupt ones are passed over, another's are refused."""

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from dama.errors import TrainingError
from dama.storage.local import LocalStore
from dama.train.checkpoint import Checkpoints, Machines
from dama.train.resume import newest
from dama.train.weights_only import WeightsOnlyEngine

PREFIX = "artifacts/train/x"


def _save(checkpoints: Checkpoints, tmp_path: Path, step: int, ranks: int = 1) -> None:
    folder = tmp_path / f"made-{step}"
    folder.mkdir(exist_ok=True)
    (folder / "state").write_text(f"state of {step}")
    checkpoints.save(step, folder, {"ranks": ranks, "zero": 0})


def _saved(tmp_path: Path, steps: list[int], keep_last: int = 2, ranks: int = 1) -> Checkpoints:
    checkpoints = Checkpoints(LocalStore(tmp_path / "store"), PREFIX, keep_last, {"dataset": "d" * 64})
    for step in steps:
        _save(checkpoints, tmp_path, step, ranks)
    return checkpoints


def _part(tmp_path: Path, step: int) -> Path:
    return tmp_path / "store" / PREFIX / "checkpoints" / f"step-{step:06d}" / "state"


def _flip(part: Path) -> None:
    data = bytearray(part.read_bytes())
    data[3] ^= 1
    part.write_bytes(data)


def _cut(part: Path) -> None:
    part.write_bytes(part.read_bytes()[:-1])


def _cut_commit(part: Path) -> None:
    commit = part.with_name("commit.json")
    commit.write_bytes(commit.read_bytes()[:-20])


HARMS: list[Callable[[Path], None]] = [_flip, _cut, Path.unlink, _cut_commit]


def test_the_last_ones_are_kept(tmp_path: Path) -> None:
    assert _saved(tmp_path, [10, 20, 30, 40], keep_last=3).steps() == [20, 30, 40]
    assert not _part(tmp_path, 10).exists()


def test_the_newest_is_found(tmp_path: Path) -> None:
    found = newest(_saved(tmp_path, [90, 100, 110]), tmp_path / "scratch")
    assert found is not None
    assert (found.folder / "state").read_text() == "state of 110"
    assert found.step == found.meta["step"] == 110
    found.discard()
    assert (found.folder / "state").exists(), "the store's own files are not a copy"


def test_nothing_saved_nothing_found(tmp_path: Path) -> None:
    assert newest(_saved(tmp_path, []), tmp_path / "scratch") is None


@pytest.mark.parametrize("harm", HARMS)
def test_a_corrupt_one_is_passed_over_with_a_warning(
    tmp_path: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = _saved(tmp_path, [10, 20])
    harm(_part(tmp_path, 20))
    with caplog.at_level(logging.WARNING):
        found = newest(checkpoints, tmp_path / "scratch")
    assert found is not None
    assert found.step == 10
    assert "the checkpoint of step 20 is passed over" in caplog.text


def test_when_none_is_whole_training_begins_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = _saved(tmp_path, [10, 20])
    for step in (10, 20):
        _flip(_part(tmp_path, step))
    with caplog.at_level(logging.WARNING):
        assert newest(checkpoints, tmp_path / "scratch") is None
    assert caplog.messages[-1] == "no checkpoint is whole; training begins at the start"


def test_the_only_whole_one_outlives_the_corrupt_ones_that_were_passed_over(tmp_path: Path) -> None:
    checkpoints = _saved(tmp_path, [10, 20], keep_last=1)
    _flip(_part(tmp_path, 20))
    _save(checkpoints, tmp_path, 15)  # training went on from before 20
    assert checkpoints.steps() == [15]
    found = newest(checkpoints, tmp_path / "scratch")
    assert found is not None
    assert found.step == 15


def test_one_without_its_commit_does_not_count_and_goes_with_the_next(tmp_path: Path) -> None:
    checkpoints = _saved(tmp_path, [10, 20])
    (_part(tmp_path, 20).parent / "commit.json").unlink()
    assert checkpoints.steps() == [10]
    _save(checkpoints, tmp_path, 30)
    assert checkpoints.steps() == [10, 30]
    assert not _part(tmp_path, 20).exists()


def test_another_number_of_ranks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="saved by 2 ranks, and there are 1; wanted the same number"):
        newest(_saved(tmp_path, [10], ranks=2), tmp_path / "scratch")


def test_one_of_another_dataset_is_refused(tmp_path: Path) -> None:
    _saved(tmp_path, [10])
    mine = Checkpoints(LocalStore(tmp_path / "store"), PREFIX, 2, {"dataset": "e" * 64})
    with pytest.raises(
        TrainingError, match=r"step 10 in .* is of another dataset: dddddddddddddddd; wanted eeee"
    ):
        newest(mine, tmp_path / "scratch")


class _OnlyBytes(LocalStore):
    """A store that is no local folder, so that everything is copied, as from S3."""

    def local(self, key: str) -> None:  # type: ignore[override]
        return None


def test_copies_are_removed_once_read_and_when_corrupt(tmp_path: Path) -> None:
    _saved(tmp_path, [10, 20])
    _flip(_part(tmp_path, 20))
    found = newest(Checkpoints(_OnlyBytes(tmp_path / "store"), PREFIX, 2), tmp_path / "scratch")
    assert found is not None
    assert list((tmp_path / "scratch").iterdir()) == [found.folder]
    found.discard()
    assert not list((tmp_path / "scratch").iterdir())


def _share(tmp_path: Path, machine: int) -> Path:
    folder = tmp_path / f"machine-{machine}"
    folder.mkdir()
    (folder / f"rank-{machine}").write_text(f"state of rank {machine}")
    return folder


def test_the_first_machine_commits_what_all_have_uploaded(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    checkpoints = Checkpoints(store, PREFIX, 2)
    meta = {"ranks": 1}
    shares = [_share(tmp_path, machine) for machine in range(3)]
    with ThreadPoolExecutor() as pool:
        first = pool.submit(checkpoints.save, 5, shares[0], meta, Machines(0, 3, "now"))
        checkpoints.save(5, shares[2], meta, Machines(2, 3, "now"))
        assert checkpoints.steps() == []
        checkpoints.save(5, shares[1], meta, Machines(1, 3, "now"))
        first.result(timeout=60)
    commit = json.loads(store.get_bytes(f"{PREFIX}/checkpoints/step-000005/commit.json"))
    assert sorted(commit["parts"]) == ["rank-0", "rank-1", "rank-2"]
    assert commit["meta"] == {"ranks": 1, "step": 5}


def test_a_list_left_by_an_earlier_start_does_not_count(tmp_path: Path) -> None:
    checkpoints = Checkpoints(LocalStore(tmp_path / "store"), PREFIX, 2)
    checkpoints.save(5, _share(tmp_path, 1), {}, Machines(1, 2, "before"))
    with pytest.raises(TrainingError, match="machine 1 did not upload its share"):
        checkpoints.save(5, _share(tmp_path, 0), {}, Machines(0, 2, "now"), lambda: True)
    assert checkpoints.steps() == []


def test_two_machines_that_write_one_name_are_found_out(tmp_path: Path) -> None:
    checkpoints = Checkpoints(LocalStore(tmp_path / "store"), PREFIX, 2)
    shares = [_share(tmp_path, machine) for machine in range(2)]
    for number, share in enumerate(shares):
        (share / "latest").write_text(f"differs {number}")
    checkpoints.save(5, shares[1], {}, Machines(1, 2, "now"))
    with pytest.raises(TrainingError, match="two machines wrote another latest"):
        checkpoints.save(5, shares[0], {}, Machines(0, 2, "now"))


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


def test_a_stage_written_by_an_older_python_is_plain_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deepspeed.runtime.zero.config import ZeroStageEnum

    def as_3_11_2(stage: ZeroStageEnum, _: int) -> tuple[object, tuple[type, str]]:
        return getattr, (type(stage), stage.name)

    engine = WeightsOnlyEngine(None)
    monkeypatch.setattr(ZeroStageEnum, "__reduce_ex__", as_3_11_2)
    torch.save({"zero_stage": ZeroStageEnum.weights}, tmp_path / "x.pt")
    assert engine.load(str(tmp_path / "x.pt")) == {"zero_stage": ZeroStageEnum.weights}
