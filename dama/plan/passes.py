"""How many passes a rank will take over its share, as the trainer will choose once it has measured.

`dama.train.passes` decides on measured memory; here the same arithmetic runs on predicted memory (a test
compares the two). Costs are forwards of one preference: 3N or, recomputing, 4N in one pass; N + 3K or N + 4K
in two.
"""

from __future__ import annotations

from dataclasses import dataclass

from dama.plan.activations import logits_kept, saved
from dama.plan.case import Case

SHARE = 0.5
"""Of the free memory, for activations that are kept (`dama.train.room`)."""


@dataclass(frozen=True)
class Passing:
    """How a rank goes through its share."""

    two: bool
    micro_batch: int
    """Preferences that go backward at a time."""
    recompute: bool


def passing(case: Case, free: int) -> Passing:
    """Return the way that the trainer will take when `free` bytes are free before the first step."""
    one = Passing(False, case.per_device, case.recompute)
    two = Passing(True, case.per_device, case.recompute)
    if case.passes != "one" and case.recompute and not case.separable:
        room = int(SHARE * free)
        preference = saved(case, 1, recompute=False) + logits_kept(case, 1)
        if preference <= room:
            two = Passing(True, min(case.per_device, room // preference), False)
    if case.passes == "one":
        return one
    if case.passes == "two":
        return two
    if case.separable:
        return one
    if case.accumulation > 1:
        return two
    price_one = case.batch * (4 if one.recompute else 3)
    price_two = case.batch + case.kept * (4 if two.recompute else 3)
    return two if price_two < price_one else one
