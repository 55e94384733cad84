"""From scores of a dataset to its hardness: the artifact, its readers and its summary."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dama.errors import HardnessError
from dama.hardness.cache import (
    read_alpha,
    read_facts,
    read_hardness,
    read_scores,
    write_facts,
    write_scores,
)
from dama.hardness.dataset import write_dataset_hardness
from dama.hardness.pairing import with_facts, with_scores
from dama.hardness.summary import correlation
from dama.records import Facts, PairScore, Preference


def dataset(
    folder: Path, count: int, seed: int = 0, lean: float = 0.0
) -> tuple[list[Facts], list[PairScore]]:
    """Write facts and scores of random lengths; `lean` pushes scores up with the answer's length."""
    rng = np.random.default_rng(seed)
    facts, scores = [], []
    for n in range(count):
        p, q = (int(size) for size in rng.integers(1, 9, 2))
        facts.append(
            Facts(
                f"p{n}", tuple(f"c{i}" for i in range(p)), tuple(f"r{i}" for i in range(q)), ("chosen:cut",)
            )
        )
        w, r = rng.normal(20 + lean * p, 2, p), rng.normal(20 + lean * q, 2, q)
        scores.append(
            PairScore(f"p{n}", tuple(w.tolist()), tuple(r.tolist()), ("chosen:truncated",)[: n % 2])
        )
    folder.mkdir(exist_ok=True)
    assert write_facts(folder, facts) == write_scores(folder, scores) == count
    return facts, scores


class Scored:
    """Facts and scores in one folder, read as often as wanted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __iter__(self) -> Iterator[tuple[Facts, PairScore]]:
        return with_scores(self._folder, self._folder)


def reference(scores: list[PairScore]) -> list[float]:
    found = []
    for score in scores:
        both = np.array([*score.chosen, *score.rejected])
        shares = np.exp(both - both.max()) / np.exp(both - both.max()).sum()
        found.append(float(shares[: len(score.chosen)].sum() - shares[len(score.chosen) :].sum()))
    return found


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    facts, scores = dataset(tmp_path / "a", 30)
    assert list(read_facts(tmp_path / "a")) == facts
    assert list(read_scores(tmp_path / "a")) == scores


def test_the_artifact_equals_numpys_reckoning(tmp_path: Path) -> None:
    facts, scores = dataset(tmp_path / "a", 200)
    summary = write_dataset_hardness(Scored(tmp_path / "a"), tmp_path, "probabilities", "sum")
    deltas = reference(scores)
    mean = statistics.fmean(deltas)
    hardness = list(read_hardness(tmp_path))
    assert [one.delta for one in hardness] == pytest.approx(deltas, abs=1e-12)
    alphas = [(1 / (1 + math.exp(-d))) / (1 / (1 + math.exp(-mean))) for d in deltas]
    assert [one.alpha_data for one in hardness] == pytest.approx(alphas, abs=1e-12)
    assert read_alpha(tmp_path) == {one.id: one.alpha_data for one in hardness}
    assert list(read_alpha(tmp_path)) == [fact.id for fact in facts]
    assert summary == json.loads((tmp_path / "summary.json").read_text())
    assert summary["mean_delta"] == pytest.approx(mean, abs=1e-12)
    assert summary["share_positive"] == sum(d > 0 for d in deltas) / 200
    assert summary["alpha_data"] == pytest.approx(
        {"mean": np.mean(alphas), "std": np.std(alphas), "min": min(alphas), "max": max(alphas)}, abs=1e-12
    )
    differences = [len(fact.chosen) - len(fact.rejected) for fact in facts]
    assert summary["length_correlation"] == pytest.approx(np.corrcoef(deltas, differences)[0, 1], abs=1e-12)
    assert summary["flags"] == {"chosen:cut": 200, "chosen:truncated": 100}


def test_a_row_of_the_artifact_tells_the_whole_story(tmp_path: Path) -> None:
    facts, scores = dataset(tmp_path / "a", 2)
    write_dataset_hardness(Scored(tmp_path / "a"), tmp_path, "probabilities", "sum")
    row = pq.read_table(tmp_path / "hardness.parquet").to_pylist()[1]
    assert row["chosen_facts"] == list(facts[1].chosen)
    assert row["rejected_scores"] == list(scores[1].rejected)
    assert math.fsum([*row["chosen_probabilities"], *row["rejected_probabilities"]]) == pytest.approx(
        1, abs=1e-12
    )
    assert row["flags"] == ["chosen:cut", "chosen:truncated"]


def test_a_warning_tells_when_length_dominates_and_means_lean_less(tmp_path: Path) -> None:
    dataset(tmp_path / "a", 300)
    (tmp_path / "b").mkdir()
    by_sum = write_dataset_hardness(Scored(tmp_path / "a"), tmp_path, "probabilities", "sum")
    by_mean = write_dataset_hardness(Scored(tmp_path / "a"), tmp_path / "b", "probabilities", "mean")
    assert by_sum["length_correlation"] > 0.5
    assert by_sum["length_dominates"] is True
    assert abs(by_mean["length_correlation"]) < by_sum["length_correlation"]
    assert by_mean["length_dominates"] is False


def test_equal_scores_leave_equal_bytes(tmp_path: Path) -> None:
    dataset(tmp_path / "a", 40)
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        write_dataset_hardness(Scored(tmp_path / "a"), tmp_path / name, "scores", "mean")
    for part in ("hardness.parquet", "summary.json"):
        assert (tmp_path / "x" / part).read_bytes() == (tmp_path / "y" / part).read_bytes()


def test_artifacts_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    facts, scores = dataset(tmp_path / "a", 4)
    for wrong in (
        scores[:3],
        [scores[1], scores[0], *scores[2:]],
        [*scores, PairScore("p9", (1.0,), (1.0,))],
    ):
        write_scores(tmp_path / "a", wrong)
        with pytest.raises(HardnessError, match=r"facts of \w+ beside scores of \w+"):
            write_dataset_hardness(Scored(tmp_path / "a"), tmp_path, "probabilities", "sum")
    write_scores(tmp_path / "a", [PairScore(s.id, (*s.chosen, 1.0), s.rejected) for s in scores])
    with pytest.raises(HardnessError, match="preference p0 has not one score a fact"):
        write_dataset_hardness(Scored(tmp_path / "a"), tmp_path, "probabilities", "sum")
    preferences = [Preference(f"p{n}", "", "", "", "") for n in (0, 1, 2, 4)]
    with pytest.raises(HardnessError, match="preference of p4 beside facts of p3"):
        list(with_facts(preferences, tmp_path / "a"))
    assert [
        fact for _, fact in with_facts([Preference(f.id, "", "", "", "") for f in facts], tmp_path / "a")
    ] == facts


def test_correlation_by_hand() -> None:
    assert correlation([1, 2, 3], [2, 4, 6]) == pytest.approx(1.0, abs=1e-15)
    assert correlation([1, 2, 3], [1, 0, 2]) == pytest.approx(0.5, abs=1e-15)
    assert correlation([1, 2, 3], [5, 5, 5]) is None
    assert correlation([1], [2]) is None
