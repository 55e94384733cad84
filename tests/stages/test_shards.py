"""Work in shards: shared out, taken up again, never made twice, and the same bytes whoever makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from sharded_pipeline import COUNT, WORDS, Writing, pipeline
from small_runs import artifacts

from dama.errors import CorruptArtifact, MissingInput, ObjectMissing
from dama.stages.base import StageContext, run_stage
from dama.stages.made import read_made
from dama.stages.shards import InShards, Made, committed, make_shards
from dama.stages.share import Share
from dama.storage.commit import delete_artifact, read_commit
from dama.storage.layout import shard_prefix
from dama.storage.local import LocalStore

IN_SHARDS = ("facts", "scores")


@pytest.fixture
def undisturbed(tmp_path: Path) -> dict[str, bytes]:
    """What one process leaves that makes everything."""
    spec, whole, _, _ = pipeline(tmp_path / "undisturbed")
    for planned in whole.values():
        run_stage(spec, planned, whole)
    return artifacts(spec)


def test_one_process_makes_every_shard_once(tmp_path: Path) -> None:
    spec, whole, store, log = pipeline(tmp_path)
    for planned in whole.values():
        outcome = run_stage(spec, planned, whole)
        assert (outcome.reused, outcome.awaits) == (False, None)
    assert log.made == [(name, shard) for name in IN_SHARDS for shard in range(COUNT)]
    assert log.opened == ["facts", "scores"]
    commit = read_commit(store, whole["facts"].prefix)
    assert commit is not None
    assert list(commit.parts) == [f"shards/{shard:05d}/lines" for shard in range(COUNT)]
    assert commit.meta == {"letters": len("".join(WORDS)), "shards": COUNT}
    sheet = store.get_bytes(f"{whole['alpha'].prefix}/sheet").decode().split()
    assert sorted(map(len, sheet)) == sorted(map(len, WORDS))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_pods_in_any_order_leave_the_bytes_of_one_process(
    tmp_path: Path, undisturbed: dict[str, bytes], order: tuple[int, ...]
) -> None:
    spec, whole, store, log = pipeline(tmp_path)
    run_stage(spec, whole["data"], whole)
    for number, pod in enumerate(order):
        last = number == len(order) - 1
        for name in IN_SHARDS:
            outcome = run_stage(spec, whole[name], whole, Share(pod, 3))
            assert (outcome.awaits is None) == last
            assert (read_commit(store, whole[name].prefix) is not None) == last
    run_stage(spec, whole["alpha"], whole)
    assert sorted(log.made) == [(name, shard) for name in IN_SHARDS for shard in range(COUNT)]
    assert artifacts(spec) == undisturbed


@pytest.mark.parametrize("of", [1, 2, 5])
def test_a_pod_that_never_comes_is_made_up_for_by_a_plain_run(
    tmp_path: Path, undisturbed: dict[str, bytes], of: int
) -> None:
    spec, whole, _, log = pipeline(tmp_path)
    run_stage(spec, whole["data"], whole)
    for pod in range(1, of):
        for name in IN_SHARDS:
            outcome = run_stage(spec, whole[name], whole, Share(pod, of))
            assert outcome.awaits is not None
            assert set(outcome.awaits.missing) >= set(Share(0, of).shards(COUNT))
    before = len(log.made)
    for planned in whole.values():
        run_stage(spec, planned, whole)
    assert len(log.made) == 2 * COUNT
    assert {shard for _, shard in log.made[before:]} == set(Share(0, of).shards(COUNT))
    assert artifacts(spec) == undisturbed


def test_a_share_without_a_shard_of_its_own_does_nothing_and_ends_well(tmp_path: Path) -> None:
    spec, whole, _, log = pipeline(tmp_path)
    run_stage(spec, whole["data"], whole)
    outcome = run_stage(spec, whole["facts"], whole, Share(4, 5))
    assert log.opened == []
    assert str(outcome.awaits) == "shards 0, 1, 2, 3 of 4 are left to other processes"


def test_the_line_on_what_is_missing_stays_short() -> None:
    assert str(Made(None, (3,), 13)) == "shard 3 of 13 is left to other processes"
    many = Made(None, tuple(range(1, 160, 2)), 160)
    assert str(many) == "shards 1, 3, 5, 7, 9, 11, 13, 15 and 72 more of 160 are left to other processes"


def test_a_share_that_is_all_there_opens_no_engine(tmp_path: Path) -> None:
    spec, whole, _, log = pipeline(tmp_path)
    run_stage(spec, whole["data"], whole)
    for _ in range(2):
        run_stage(spec, whole["facts"], whole, Share(0, 2))
    assert log.opened == ["facts"]
    assert log.made == [("facts", 0), ("facts", 2)]


def test_what_another_commits_meanwhile_is_not_made_again(tmp_path: Path) -> None:
    spec, whole, _, log = pipeline(tmp_path)
    _, other, _, others = pipeline(tmp_path)
    run_stage(spec, whole["data"], whole)

    def meanwhile(stage: str, shard: int) -> None:
        if shard == 0:
            run_stage(spec, other["facts"], other, Share(1, 3))
            run_stage(spec, other["facts"], other, Share(2, 3))

    log.before = meanwhile
    run_stage(spec, whole["facts"], whole)
    assert others.made == [("facts", 1), ("facts", 2)]
    assert log.made == [("facts", 0), ("facts", 3)]


def test_of_two_that_make_one_shard_the_first_bytes_stay(tmp_path: Path) -> None:
    spec, whole, store, log = pipeline(tmp_path)
    _, other, _, _ = pipeline(tmp_path)
    run_stage(spec, whole["data"], whole)
    made: dict[str, Any] = {}

    def meanwhile(stage: str, shard: int) -> None:
        if shard == 1 and not made:
            run_stage(spec, other["facts"], other, Share(1, 4))
            made["first"] = read_made(store, shard_prefix(whole["facts"].prefix, 1))

    log.before = meanwhile
    run_stage(spec, whole["facts"], whole)
    assert ("facts", 1) in log.made
    assert read_made(store, shard_prefix(whole["facts"].prefix, 1)) == made["first"]


def test_an_artifact_that_another_process_commits_meanwhile_stays(tmp_path: Path) -> None:
    spec, whole, store, _ = pipeline(tmp_path)
    run = whole["data"].stage.run
    assert not isinstance(run, InShards)

    def slower(context: StageContext) -> Mapping[str, Any]:
        run_stage(spec, whole["data"], whole)
        made.update(read_made(store, whole["data"].prefix))
        return run(context)

    made: dict[str, Any] = {}
    slow = replace(whole["data"], stage=replace(whole["data"].stage, run=slower))
    second = run_stage(spec, slow, whole)
    assert second.commit == read_commit(store, whole["data"].prefix)
    assert read_made(store, whole["data"].prefix) == made != {}


def test_a_stage_in_shards_reads_another_shard_by_shard(tmp_path: Path) -> None:
    spec, whole, store, _ = pipeline(tmp_path)
    run_stage(spec, whole["data"], whole)
    run_stage(spec, whole["facts"], whole, Share(1, 2))
    assert read_commit(store, whole["facts"].prefix) is None
    run_stage(spec, whole["scores"], whole, Share(1, 2))
    assert committed(store, whole["scores"].prefix) == {1, 3}
    with pytest.raises(MissingInput, match=r"'scores' reads what stage 'facts' makes, .*/shards/00000 holds"):
        run_stage(spec, whole["scores"], whole)
    with pytest.raises(MissingInput, match="'alpha' reads what stage 'scores' makes"):
        run_stage(spec, whole["alpha"], whole)


def test_a_corrupt_shard_is_named_and_mended_alone(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    spec, whole, store, log = pipeline(tmp_path)
    run_stage(spec, whole["data"], whole)
    run_stage(spec, whole["facts"], whole)
    place = shard_prefix(whole["facts"].prefix, 2)
    store.put_bytes(f"{place}/lines", b"torn")
    with pytest.raises(
        CorruptArtifact, match=r"/shards/00002/lines has 4 bytes.*delete the shard's folder and"
    ):
        run_stage(spec, whole["scores"], whole)
    assert committed(store, whole["scores"].prefix) == {0, 1}
    delete_artifact(store, place)
    store.delete(f"{whole['facts'].prefix}/commit.json")
    log.made.clear()
    for planned in whole.values():
        run_stage(spec, planned, whole)
    assert log.made == [("facts", 2), ("scores", 2), ("scores", 3)]
    assert artifacts(spec) == undisturbed


def test_a_shards_broken_commit_is_named(tmp_path: Path) -> None:
    spec, whole, store, _ = pipeline(tmp_path)
    run_stage(spec, whole["data"], whole)
    run_stage(spec, whole["facts"], whole, Share(0, 2))
    store.put_bytes(f"{shard_prefix(whole['facts'].prefix, 2)}/commit.json", b"{")
    with pytest.raises(CorruptArtifact, match=r"/shards/00002/commit\.json is no commit"):
        run_stage(spec, whole["facts"], whole)


def test_an_artifact_with_a_corrupt_shard_is_refused_by_who_reads_it_whole(tmp_path: Path) -> None:
    spec, whole, store, _ = pipeline(tmp_path)
    for name in ("data", "facts", "scores"):
        run_stage(spec, whole[name], whole)
    store.delete(f"{shard_prefix(whole['scores'].prefix, 3)}/lines")
    with pytest.raises(CorruptArtifact, match=r"/shards/00003/lines is missing"):
        run_stage(spec, whole["alpha"], whole)


def test_a_deleted_artifact_leaves_no_shard_behind(tmp_path: Path) -> None:
    spec, whole, store, log = pipeline(tmp_path)
    run_stage(spec, whole["data"], whole)
    run_stage(spec, whole["facts"], whole)
    gone: list[str] = []
    delete = store.delete

    def noted(key: str) -> None:
        gone.append(key)
        delete(key)

    store.delete = noted  # type: ignore[method-assign]
    delete_artifact(store, whole["facts"].prefix)
    assert list(store.keys(whole["facts"].prefix)) == []
    commits = [key.removeprefix(f"{whole['facts'].prefix}/") for key in gone if key.endswith("commit.json")]
    assert commits[0] == "commit.json", "the artifact is gone before any shard of it"
    assert gone[: len(commits)] == [f"{whole['facts'].prefix}/{commit}" for commit in commits]
    run_stage(spec, whole["facts"], whole)
    assert log.made == [("facts", shard) for shard in range(COUNT)] * 2


def test_what_making_took_is_kept_beside_shards_and_artifact(tmp_path: Path) -> None:
    spec, whole, store, _ = pipeline(tmp_path)
    run_stage(spec, whole["data"], whole)
    run_stage(spec, whole["facts"], whole, Share(1, 2))
    run_stage(spec, whole["facts"], whole)
    shards = [read_made(store, shard_prefix(whole["facts"].prefix, shard)) for shard in range(COUNT)]
    assert [made["items"] for made in shards] == [3, 3, 3, 3]
    made = read_made(store, whole["facts"].prefix)
    assert made["seconds"] == pytest.approx(sum(one["seconds"] for one in shards), abs=1e-3)
    assert (made["shards"], made["stage"], made["run"]) == (COUNT, "facts", "small")
    assert made["words_per_second"] > 0
    assert b"seconds" not in store.get_bytes(f"{whole['facts'].prefix}/commit.json")


def test_only_parts_that_a_stage_reads_are_looked_at(tmp_path: Path) -> None:
    spec, whole, store, _ = pipeline(tmp_path)
    run_stage(spec, whole["data"], whole)
    store.put_bytes(f"{whole['data'].prefix}/pictures", b"torn, and nobody minds")
    run_stage(spec, whole["facts"], whole)
    store.put_bytes(f"{whole['data'].prefix}/words", b"torn")
    with pytest.raises(CorruptArtifact, match="words has 4 bytes"):
        run_stage(spec, whole["scores"], whole)


def test_a_shard_that_is_deleted_meanwhile_is_missing_again(tmp_path: Path) -> None:
    spec, whole, store, log = pipeline(tmp_path)
    run_stage(spec, whole["data"], whole)
    run_stage(spec, whole["facts"], whole, Share(0, 2))

    def delete(stage: str, shard: int) -> None:
        if shard == 3:
            delete_artifact(store, shard_prefix(whole["facts"].prefix, 0))

    log.before = delete
    outcome = run_stage(spec, whole["facts"], whole)
    assert outcome.awaits is not None
    assert outcome.awaits.missing == (0,)


class Forgetful(LocalStore):
    """A store that lists a commit which is not there any more when it is read."""

    def get_bytes(self, key: str) -> bytes:
        if key.endswith("/shards/00002/commit.json"):
            raise ObjectMissing(key)
        return super().get_bytes(key)


def test_a_shard_that_is_deleted_while_it_is_summed_up_is_told(tmp_path: Path) -> None:
    spec, whole, store, log = pipeline(tmp_path)
    run_stage(spec, whole["data"], whole)
    run_stage(spec, whole["facts"], whole)
    folder = store.local(whole["data"].prefix)
    assert folder is not None
    forgetful = Forgetful(Path(store.uri))
    context = StageContext(spec, forgetful, whole["facts"], {"data": folder}, {}, tmp_path, tmp_path, whole)
    with pytest.raises(ObjectMissing, match="/shards/00002 was there a moment ago and is gone"):
        make_shards(context, Writing(context, log), Share())
