"""Outcomes of single answers -> the measures of a benchmark, with their intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from dama.benchmarks.bootstrap import Figures, Outcome, intervals
from dama.records import Measure


@dataclass(frozen=True, slots=True)
class Shown:
    """How a figure is written: its unit, which way is better, how many digits are kept."""

    unit: str = "%"
    better: str = "higher"
    digits: int = 4


@dataclass(frozen=True)
class Tally(Generic[Outcome]):
    """Outcomes of answers, in strata that are drawn apart, and the figures they come to."""

    strata: Sequence[Sequence[Outcome]]
    figures: Figures[Outcome]

    def values(self) -> dict[str, float]:
        """Return every figure that is defined."""
        return dict(self.figures(Counter(outcome for stratum in self.strata for outcome in stratum)))

    def measures(
        self, shown: Mapping[str, Shown], n: Mapping[str, int], *, resamples: int | None = None
    ) -> tuple[Measure, ...]:
        """Return the figures named in `shown`, in its order, as measures over `n` answers each.

        `resamples` of 0 leaves out the intervals; None takes the usual number.
        """
        values = self.values()
        if resamples == 0:
            ends: Mapping[str, tuple[float, float]] = {}
        elif resamples is None:
            ends = intervals(self.strata, self.figures)
        else:
            ends = intervals(self.strata, self.figures, resamples=resamples)
        measures = []
        for name, how in shown.items():
            if name not in values:
                continue
            low, high = ends.get(name, (None, None))
            measures.append(
                Measure(
                    name,
                    round(values[name], how.digits),
                    how.unit,
                    how.better,
                    n.get(name, 0),
                    None if low is None else round(low, how.digits),
                    None if high is None else round(high, how.digits),
                )
            )
        return tuple(measures)
