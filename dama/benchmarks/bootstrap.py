"""95 % intervals of any figure, by drawing the answers again and again with replacement.

Percentile bootstrap (Efron): of `RESAMPLES` figures the 2.5th and 97.5th percentile. The generator is seeded,
so equal answers give equal intervals. Answers count as independent; several questions about one image are not
quite that, so intervals of such benchmarks are a little too narrow.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

Outcome = TypeVar("Outcome", bound=Hashable)
Figures = Callable[[Mapping[Outcome, int]], Mapping[str, float]]
"""Figures by name from outcomes and how often each came; one that is not defined is left out."""

RESAMPLES = 1000
LEVEL = 0.95
SEED = 20250202


def intervals(
    strata: Sequence[Sequence[Outcome]], figures: Figures[Outcome], *, resamples: int = RESAMPLES
) -> dict[str, tuple[float, float]]:
    """Return the ends of every figure's interval; each stratum is drawn as often as it is long.

    An outcome is all that a figure needs to know of one answer. A figure that fewer than half of the draws
    define has no interval.
    """
    rng = random.Random(SEED)
    kinds = list(dict.fromkeys(outcome for stratum in strata for outcome in stratum))
    index = {kind: number for number, kind in enumerate(kinds)}
    coded = [[index[outcome] for outcome in stratum] for stratum in strata]
    drawn: dict[str, list[float]] = {}
    for _ in range(resamples):
        counts: Counter[int] = Counter()
        for stratum in coded:
            counts.update(rng.choices(stratum, k=len(stratum)) if stratum else ())
        for name, value in figures({kinds[number]: count for number, count in counts.items()}).items():
            drawn.setdefault(name, []).append(value)
    return {name: _ends(sorted(values)) for name, values in drawn.items() if 2 * len(values) >= resamples}


def _ends(ordered: Sequence[float]) -> tuple[float, float]:
    """Return the two percentiles by linear interpolation."""
    tail = (1 - LEVEL) / 2
    return _quantile(ordered, tail), _quantile(ordered, 1 - tail)


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
