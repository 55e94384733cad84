"""A disk that fills while shards are made: told in one line, and the same command goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sharded_pipeline import COUNT, Log, Writing, pipeline
from small_runs import artifacts

from dama.errors import StoreFull
from dama.stages.base import Planned, run_stage
from dama.stages.shards import InShards, committed


class Heavy(Writing):
    """Shards of 30 kB."""

    def make(self, shard: int, out: Path, advance: Any) -> Mapping[str, Any]:
        (out / "ballast").write_bytes(bytes([shard]) * 30_000)
        return super().make(shard, out, advance)


def heavy(whole: Mapping[str, Planned], log: Log) -> dict[str, Planned]:
    work = InShards(lambda context: Heavy(context, log))
    return {**whole, "facts": replace(whole["facts"], stage=replace(whole["facts"].stage, run=work))}


@pytest.mark.parametrize("full", ["storage.uri", "storage.scratch"])
def test_shards_that_fit_are_kept_and_the_rest_is_made_when_there_is_room(
    small_disk: Path, tmp_path: Path, full: str
) -> None:
    ballast = small_disk / "somebody-elses"
    ballast.write_bytes(b"x" * (100_000 if full == "storage.uri" else 170_000))
    spec, whole, store, log = pipeline(tmp_path, f"{full}={small_disk}/dama")
    whole = heavy(whole, log)
    run_stage(spec, whole["data"], whole)

    def fill(stage: str, shard: int) -> None:
        if full == "storage.scratch" and shard == 2:
            ballast.write_bytes(b"x" * 235_000)

    log.before = fill
    with pytest.raises(StoreFull, match=r"no space left .*run the same command again"):
        run_stage(spec, whole["facts"], whole)
    there = committed(store, whole["facts"].prefix)
    assert there
    assert len(there) < COUNT
    log.before = lambda stage, shard: None
    log.made.clear()
    ballast.unlink()
    run_stage(spec, whole["facts"], whole)
    assert {shard for _, shard in log.made} == set(range(COUNT)) - there

    other, undisturbed, _, others = pipeline(tmp_path / "undisturbed")
    undisturbed = heavy(undisturbed, others)
    for name in ("data", "facts"):
        run_stage(other, undisturbed[name], undisturbed)
    assert artifacts(spec) == artifacts(other)
