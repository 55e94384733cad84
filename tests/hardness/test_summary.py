"""The summary of hardness, worked by hand."""

from __future__ import annotations

from collections import Counter
from math import exp, log
from pathlib import Path

import pytest

from dama.hardness.dataset import write_dataset_hardness
from dama.hardness.summary import made_by, summarise
from dama.records import Facts, PairScore


def test_three_preferences_by_hand(tmp_path: Path) -> None:
    # Scores ln 3 and 0 share 3/4 and 1/4: δ = 1/2. Turned round: δ = -1/2. Equal scores: δ = 0.
    scores = [
        PairScore("easy", (log(3),), (0.0,)),
        PairScore("hard", (0.0,), (log(3),), ("chosen:truncated",)),
        PairScore("even", (7.0,), (7.0,)),
    ]
    scored = [(Facts(score.id, ("a",), ("b",), ("rejected:cut",)), score) for score in scores]
    summary = write_dataset_hardness(scored, tmp_path, "probabilities", "sum", made_by={"scorer": {"x": 1}})
    easy, hard = 2 / (1 + exp(-0.5)), 2 / (1 + exp(0.5))  # α_D = σ(δ)/σ(0), and σ(0) = 1/2
    assert summary["mean_delta"] == pytest.approx(0.0, abs=1e-15)
    assert summary["delta"] == pytest.approx(
        {"mean": 0.0, "std": (1 / 6) ** 0.5, "min": -0.5, "max": 0.5}, abs=1e-12
    )
    assert summary["alpha_data"] == pytest.approx(
        {"mean": 1.0, "std": (2 * (easy - 1) ** 2 / 3) ** 0.5, "min": hard, "max": easy}, abs=1e-12
    )
    assert summary["beta_data"] == pytest.approx(
        {"beta": 0.1, **{name: 0.1 * value for name, value in summary["alpha_data"].items()}}, abs=1e-15
    )
    assert summary["flags"] == {"chosen:truncated": 1, "rejected:cut": 3}
    assert (summary["preferences"], summary["share_positive"]) == (3, 1 / 3)
    assert (summary["scorer"], summary["form"], summary["aggregate"]) == ({"x": 1}, "probabilities", "sum")


def test_the_papers_ends_of_beta_data_follow_from_its_mean_hardness() -> None:
    # δ ∈ [−1, 1] and δ̄ = .0482 give (.0525, .1428), which the paper reports for RLAIF-V.
    at_mean = 1 / (1 + exp(-0.0482))
    alphas = [1 / (1 + exp(1)) / at_mean, 1 / (1 + exp(-1)) / at_mean]
    found = summarise([-1.0, 1.0], alphas, [0, 0], Counter())["beta_data"]
    assert (round(found["min"], 4), round(found["max"], 4)) == (0.0525, 0.1428)


def test_counts_and_engines_are_what_the_stages_say() -> None:
    facts = {"chosen_facts": 5, "rejected_facts": 4, "splitter": {"engine": "vllm", "instruction": "1"}}
    assert made_by(
        {
            "facts": facts,
            "scores": {"scorer": {"model": "ViT"}, "images": 7, "preferences": 4},
            "data": {"rows": 9},
        }
    ) == {
        "facts": {"chosen": 5, "rejected": 4, "total": 9},
        "scores": {"images": 7},
        "splitter": {"engine": "vllm", "instruction": "1"},
        "scorer": {"model": "ViT"},
    }
    assert made_by({"facts": {}, "scores": {"scorer": None}}) == {
        name: {} for name in ("facts", "scores", "splitter", "scorer")
    }
