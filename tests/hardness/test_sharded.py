"""Hardness over shards: the dataset's order, whatever the shards, and nothing that does not belong."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dama.errors import HardnessError
from dama.hardness.alpha import Aggregate, alpha_data
from dama.hardness.cache import read_hardness, write_facts, write_scores
from dama.hardness.dataset import write_dataset_hardness
from dama.hardness.sharded import ShardedScores
from dama.records import Facts, PairScore
from dama.storage.layout import shard_name


def preferences(count: int) -> tuple[list[Facts], list[PairScore]]:
    rng = random.Random(count)
    sizes = [(rng.randint(1, 4), rng.randint(1, 4)) for _ in range(count)]
    facts = [
        Facts(f"p{n}", ("c",) * p, ("r",) * q, ("chosen:cut",)[: n % 2]) for n, (p, q) in enumerate(sizes)
    ]
    scores = [
        PairScore(
            f"p{n}",
            tuple(rng.uniform(-100, 100) for _ in range(p)),
            tuple(rng.uniform(-100, 100) for _ in range(q)),
        )
        for n, (p, q) in enumerate(sizes)
    ]
    return facts, scores


def written(
    folder: Path, shards: Sequence[Sequence[int]], facts: list[Facts], scores: list[PairScore]
) -> ShardedScores:
    """Write the shards of both stages below `folder`; return their reader."""
    for number, indices in enumerate(shards):
        for stage in ("facts", "scores"):
            (folder / stage / shard_name(number)).mkdir(parents=True)
        write_facts(folder / "facts" / shard_name(number), (facts[index] for index in indices))
        write_scores(folder / "scores" / shard_name(number), (scores[index] for index in indices))
    return ShardedScores([fact.id for fact in facts], shards, folder / "facts", folder / "scores")


@pytest.fixture
def folders(tmp_path: Path) -> Callable[[], Path]:
    """Give a new folder at every call."""
    count = iter(range(1_000_000))

    def new() -> Path:
        folder = tmp_path / f"{next(count)}"
        folder.mkdir()
        return folder

    return new


@given(st.integers(1, 40), st.integers(1, 9), st.randoms(), st.sampled_from(["sum", "mean"]))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_shards_change_nothing_not_even_a_bit(
    folders: Callable[[], Path], count: int, parts: int, rng: random.Random, aggregate: Aggregate
) -> None:
    facts, scores = preferences(count)
    home = [rng.randrange(parts) for _ in range(count)]
    shards = [[n for n in range(count) if home[n] == part] for part in sorted(set(home))]
    found = []
    for cut in (shards, [list(range(count))]):
        folder = folders()
        write_dataset_hardness(written(folder, cut, facts, scores), folder, "probabilities", aggregate)
        found.append([(folder / name).read_bytes() for name in ("hardness.parquet", "summary.json")])
    assert found[0] == found[1]


def test_the_mean_over_shards_is_that_of_exact_fractions(tmp_path: Path) -> None:
    facts, scores = preferences(300)
    shards = [list(range(start, 300, 7)) for start in (3, 0, 6, 1, 5, 2, 4)]
    sharded = written(tmp_path, shards, facts, scores)
    summary = write_dataset_hardness(sharded, tmp_path, "probabilities", "sum")
    hardness = list(read_hardness(tmp_path))
    assert [one.id for one in hardness] == [f"p{n}" for n in range(300)]
    exact = sum((Fraction(one.delta) for one in hardness), Fraction(0)) / 300
    assert abs(Fraction(summary["mean_delta"]) - exact) <= abs(exact) * Fraction(1, 2**51)
    for one in hardness:
        assert one.alpha_data == alpha_data(one.delta, summary["mean_delta"])
    assert len(sharded) == summary["preferences"] == 300


def test_shards_of_another_dataset_are_refused(tmp_path: Path) -> None:
    facts, scores = preferences(6)
    shards = [[0, 3], [1, 2, 4, 5]]
    good = written(tmp_path, shards, facts, scores)
    assert [fact.id for fact, _ in good] == ["p0", "p1", "p2", "p3", "p4", "p5"]
    other = ["p0", "p1", "px", "p3", "p4", "p5"]
    with pytest.raises(HardnessError, match="shard 1 of facts and scores holds p2 where the dataset has px"):
        list(ShardedScores(other, shards, tmp_path / "facts", tmp_path / "scores"))
    short = ShardedScores(["p0", "p1", "p2", "p3", "p4"], [[0, 3], [1, 2, 4]], *places(tmp_path))
    with pytest.raises(HardnessError, match=r"shard 1 of facts and scores holds p5 where .* has nothing"):
        list(short)
    long = ShardedScores([*(fact.id for fact in facts), "p6"], [[0, 3], [1, 2, 4, 5, 6]], *places(tmp_path))
    with pytest.raises(HardnessError, match=r"shard 1 of facts and scores holds nothing where .* has p6"):
        list(long)


def places(folder: Path) -> tuple[Path, Path]:
    return folder / "facts", folder / "scores"


def test_scores_that_can_be_read_only_once_are_refused(tmp_path: Path) -> None:
    facts, scores = preferences(5)
    once = zip(facts, scores, strict=True)
    with pytest.raises(HardnessError, match="5 preferences were read at first, 0 the second time"):
        write_dataset_hardness(once, tmp_path, "probabilities", "sum")
    assert not (tmp_path / "summary.json").exists()
