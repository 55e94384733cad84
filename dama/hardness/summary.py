"""What the hardness of a whole dataset looks like, and whether length explains it."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

DOMINATES = 0.5
"""From this absolute correlation on, δ says more of the answers' lengths than of anything else."""
BETA = 0.1
"""The paper's β. A run's own β belongs to its method and must not move the hardness of its data."""


def correlation(left: Sequence[float], right: Sequence[float]) -> float | None:
    """Return Pearson's correlation, None when either side does not vary."""
    if len(left) < 2:
        return None
    mean_left, mean_right = math.fsum(left) / len(left), math.fsum(right) / len(right)
    a, b = [x - mean_left for x in left], [y - mean_right for y in right]
    spread = math.sqrt(math.fsum(x * x for x in a)) * math.sqrt(math.fsum(y * y for y in b))
    if spread == 0.0:
        return None
    return max(-1.0, min(1.0, math.fsum(x * y for x, y in zip(a, b, strict=True)) / spread))


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return mean, population standard deviation, min and max."""
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
    return {"mean": mean, "std": math.sqrt(variance), "min": min(values), "max": max(values)}


def summarise(
    deltas: Sequence[float],
    alphas: Sequence[float],
    fact_differences: Sequence[float],
    flags: Counter[str],
) -> dict[str, Any]:
    """Return the summary of a dataset: δ̄, share of δ > 0, spreads of δ, α_D and β_D, correlation with length.

    `fact_differences` holds the number of chosen facts less that of rejected facts, in the order of `deltas`.
    `length_dominates` warns that δ is largely a measure of length; `aggregate: mean` leans on it less.
    `beta_data` is β·α_D at the paper's β, which stands beside it, to be held against the paper's Fig. 7.
    """
    length_correlation = correlation(deltas, fact_differences)
    return {
        "preferences": len(deltas),
        "mean_delta": math.fsum(deltas) / len(deltas),
        "share_positive": sum(delta > 0 for delta in deltas) / len(deltas),
        "delta": spread(deltas),
        "alpha_data": spread(alphas),
        "beta_data": {"beta": BETA, **spread(array("d", (BETA * alpha for alpha in alphas)))},
        "length_correlation": length_correlation,
        "length_dominates": length_correlation is not None and abs(length_correlation) > DOMINATES,
        "flags": dict(sorted(flags.items())),
    }


def made_by(metas: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the commits of stages facts and scores say of themselves.

    `facts` and `scores` are counts (facts of either side; images, facts that were cut). `splitter` and
    `scorer` describe an engine each (model, revision, version of the instruction). Each is empty where a
    stage says nothing.
    """
    facts, scores = metas.get("facts", {}), metas.get("scores", {})
    counts = {side: facts[f"{side}_facts"] for side in ("chosen", "rejected") if f"{side}_facts" in facts}
    others = {
        name: count for name, count in scores.items() if isinstance(count, int) and name != "preferences"
    }
    return {
        "facts": {**counts, "total": sum(counts.values())} if counts else {},
        "scores": dict(sorted(others.items())),
        "splitter": dict(facts.get("splitter") or {}),
        "scorer": dict(scores.get("scorer") or {}),
    }
