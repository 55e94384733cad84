"""What the hardness of a whole dataset looks like, and whether length explains it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

DOMINATES = 0.5
"""From this absolute correlation on, δ says more of the answers' lengths than of anything else."""


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
    """Return the summary of a dataset: δ̄, share of δ > 0, spreads of δ and α_D, correlation with length.

    `fact_differences` holds the number of chosen facts less that of rejected facts, in the order of `deltas`.
    `length_dominates` warns that δ is largely a measure of length; `aggregate: mean` leans on it less.
    """
    length_correlation = correlation(deltas, fact_differences)
    return {
        "preferences": len(deltas),
        "mean_delta": math.fsum(deltas) / len(deltas),
        "share_positive": sum(delta > 0 for delta in deltas) / len(deltas),
        "delta": spread(deltas),
        "alpha_data": spread(alphas),
        "length_correlation": length_correlation,
        "length_dominates": length_correlation is not None and abs(length_correlation) > DOMINATES,
        "flags": dict(sorted(flags.items())),
    }
