"""How one stage is run: inputs fetched once a host, the first rank commits, a full disk is told."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dama.errors import CorruptArtifact, DataError, StoreFull
from dama.spec.load import parse
from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext, plan, run_stage, scratch_folder, with_world
from dama.stages.inputs import fetch_once, inputs_folder
from dama.stages.made import read_made
from dama.storage.base import Progress
from dama.storage.commit import read_commit, write_artifact
from dama.storage.local import LocalStore
from dama.storage.uri import open_store


class Remote(LocalStore):
    """A store that is not a local folder, and notes every fetch in a file that processes share."""

    def __init__(self, root: Path, log: Path) -> None:
        super().__init__(root)
        self._log = log

    def get_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        self._note(key)
        super().get_file(key, path, progress)

    def get_bytes(self, key: str) -> bytes:
        if not key.endswith("/commit.json"):
            self._note(key)
        return super().get_bytes(key)

    def _note(self, key: str) -> None:
        with self._log.open("a") as log:
            log.write(f"{key}\n")
        time.sleep(0.05)

    def local(self, key: str) -> None:  # type: ignore[override]
        return None


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    made = tmp_path / "made"
    made.mkdir()
    for number in range(3):
        (made / f"part-{number}").write_text(f"part {number}")
    store = Remote(tmp_path / "store", tmp_path / "fetched")
    write_artifact(store, "artifacts/x/1", made, {})
    return store


@pytest.fixture
def torchrun_id(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "the/run: id")
    return "the/run: id"


def _read(store: Remote, own: Path, scratch: Path, gate: Any) -> None:
    commit = read_commit(store, "artifacts/x/1")
    assert commit is not None
    gate.wait()
    with inputs_folder(own, str(scratch)) as folder:
        place = fetch_once(store, "artifacts/x/1", commit, folder)
        assert [(place / name).read_text() for name in sorted(commit.parts)] == ["part 0", "part 1", "part 2"]
        gate.wait()  # as ranks do at their first collective
        time.sleep(0.01 * (os.getpid() % 5))
        assert (place / "part-2").read_text() == "part 2", "nobody removes what another still reads"


def test_ranks_on_one_host_fetch_an_input_once_and_leave_nothing(
    remote: Remote, tmp_path: Path, torchrun_id: str
) -> None:
    context = multiprocessing.get_context("spawn")
    scratch, gate = tmp_path / "scratch", context.Barrier(4)
    ranks = [
        context.Process(target=_read, args=(remote, tmp_path / f"own-{rank}", scratch, gate))
        for rank in range(4)
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(30)
    assert [rank.exitcode for rank in ranks] == [0, 0, 0, 0]
    assert sorted((tmp_path / "fetched").read_text().split()) == [f"artifacts/x/1/part-{n}" for n in range(3)]
    assert list(scratch.iterdir()) == []


def test_ranks_that_come_one_after_the_other_each_find_the_input(
    remote: Remote, tmp_path: Path, torchrun_id: str
) -> None:
    commit = read_commit(remote, "artifacts/x/1")
    assert commit is not None
    for _ in range(2):
        with inputs_folder(tmp_path / "own", str(tmp_path / "scratch")) as folder:
            assert (fetch_once(remote, "artifacts/x/1", commit, folder) / "part-0").read_text() == "part 0"
    assert not list((tmp_path / "scratch").iterdir())


def test_a_lone_process_keeps_its_inputs_to_itself(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with inputs_folder(tmp_path / "own", str(tmp_path / "scratch")) as folder:
        assert folder == tmp_path / "own"
    assert not (tmp_path / "scratch").exists()


def test_a_corrupt_part_is_found_by_every_rank(remote: Remote, tmp_path: Path, torchrun_id: str) -> None:
    commit = read_commit(remote, "artifacts/x/1")
    assert commit is not None
    remote.put_bytes("artifacts/x/1/part-1", b"part X")
    with inputs_folder(tmp_path / "own", str(tmp_path / "scratch")) as folder:
        for _ in range(2):
            with pytest.raises(CorruptArtifact, match="part-1"):
                fetch_once(remote, "artifacts/x/1", commit, folder)


def spec_of(folder: Path, *overrides: str) -> RunSpec:
    return parse("model: tiny", overrides, folder=folder)


def stage_of(run: Any, **options: Any) -> Stage:
    return Stage("data", 1, lambda spec: (), lambda spec: {}, run, "makes data", **options)


def _simple(context: StageContext) -> Mapping[str, Any]:
    (context.out / "a").write_text("a")
    context.notes["host"] = "this one"
    return {"n": 1}


def test_what_depends_on_the_clock_is_kept_beside_the_artifact(tmp_path: Path) -> None:
    spec, stages = spec_of(tmp_path), (stage_of(_simple),)
    planned = plan(spec, stages)["data"]
    outcome = run_stage(spec, planned, {"data": planned})
    store = open_store(spec.storage)
    made = read_made(store, planned.prefix)
    assert (made["host"], made["stage"]) == ("this one", "data")
    assert made["seconds"] >= 0
    assert list(outcome.commit.parts) == ["a"]
    assert b"host" not in store.get_bytes(f"{planned.prefix}/commit.json")
    store.delete(f"{planned.prefix}/made.json")
    assert read_made(store, planned.prefix) == {}


def test_only_the_first_rank_commits_and_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, stages = spec_of(tmp_path), (stage_of(_simple),)
    planned = plan(spec, stages)["data"]
    monkeypatch.setenv("RANK", "1")
    outcome = run_stage(spec, planned, {"data": planned})
    store = open_store(spec.storage)
    assert not outcome.reused
    assert list(store.keys()) == []
    monkeypatch.setenv("RANK", "0")
    run_stage(spec, planned, {"data": planned})
    assert read_commit(store, planned.prefix) is not None


def test_a_version_or_a_key_moves_the_artifact_and_those_that_read_it(tmp_path: Path) -> None:
    def digests(*stages: Stage) -> dict[str, str]:
        return {name: planned.digest for name, planned in plan(spec_of(tmp_path), stages).items()}

    reader = Stage("train", 1, lambda spec: ("data",), lambda spec: {}, _simple, "reads data")
    other = Stage("extra", 1, lambda spec: (), lambda spec: {}, _simple, "reads nothing")
    first = digests(stage_of(_simple), reader, other)
    for changed in (
        Stage("data", 2, lambda spec: (), lambda spec: {}, _simple, "makes data"),
        Stage("data", 1, lambda spec: (), lambda spec: {"seed": 1}, _simple, "makes data"),
    ):
        second = digests(changed, reader, other)
        assert second["data"] != first["data"]
        assert second["train"] != first["train"]
        assert second["extra"] == first["extra"]


def test_scratch_is_where_the_run_file_says_and_goes_away(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "storage.scratch=deep/scratch")
    with scratch_folder(spec) as folder:
        assert folder.parent == tmp_path / "deep" / "scratch"
        (folder / "file").touch()
    assert not folder.exists()
    with scratch_folder(spec_of(tmp_path)) as folder:
        assert folder.is_dir()


def test_the_world_is_read_only_where_it_is_used(tmp_path: Path) -> None:
    tiny = spec_of(tmp_path)
    assert with_world(tiny, "data", used=True) == ("world", "data")
    assert with_world(tiny, "data", used=False) == ("data",)
    other = parse("model: {kind: local, path: m}\ndata: {kind: jsonl, uri: d}", folder=tmp_path)
    assert with_world(other, "data", used=True) == ("data",)


def _fills(context: StageContext) -> Mapping[str, Any]:
    (context.out / "a").write_bytes(os.urandom(400_000))
    return {}


def _fills_and_has_its_own_words(context: StageContext) -> Mapping[str, Any]:
    try:
        _fills(context)
    except OSError:
        raise RuntimeError("unexpected pos 64 vs 8") from None
    return {}


def _fails_otherwise(context: StageContext) -> Mapping[str, Any]:
    raise DataError("row 3")


@pytest.mark.parametrize(
    ("work", "error"),
    [(_fills, StoreFull), (_fills_and_has_its_own_words, StoreFull), (_fails_otherwise, DataError)],
)
def test_a_full_scratch_disk_is_told_as_that(
    small_disk: Path, tmp_path: Path, work: Any, error: type[Exception]
) -> None:
    spec = spec_of(tmp_path, f"storage.scratch={small_disk}")
    planned = plan(spec, (stage_of(work),))["data"]
    with pytest.raises(error, match=r"no space left in|row 3"):
        run_stage(spec, planned, {"data": planned})
    assert list(small_disk.iterdir()) == []
    assert list(open_store(spec.storage).keys()) == []
