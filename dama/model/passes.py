"""Whether an optimizer batch takes one pass or two, and why.

α_M and the filter need every gap of the batch before any loss exists. Costs in forwards of one preference,
for N preferences of which K are kept (a backward is two forwards, recomputed activations one more):

    one pass     forward with gradients, decision, backward through all            3N, or 4N recomputing
    two passes   forward without gradients, decision, forward and backward         N + 3K, or N + 4K
                 of the kept only

One pass needs the activations of a rank's whole share at one time; two passes those of one micro-batch, so
they can often do without recomputing where one pass cannot. A method without a statistic of the batch (DPO,
D2PO) takes one pass at any accumulation: its micro-batches go backward as they come.

The trainer decides on measured memory, `dama plan` on predicted memory, both here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from dama.errors import TrainingError

ROOM_SHARE = 0.5
"""Of the free memory, for activations; the rest is for gradients, ZeRO's gathered weights and fragments."""


@dataclass(frozen=True)
class Work:
    """What the choice depends on beside memory."""

    asked: str
    """train.passes: one, two or auto."""
    batch: int
    """N: preferences of an optimizer batch."""
    kept: int
    """K: those that are learned from."""
    per_device: int
    """Preferences that a rank can run forward and backward at a time."""
    accumulation: int
    recompute: bool
    """Whether the run file asks for gradient checkpointing."""
    separable: bool
    """Whether each preference's loss stands alone, without a statistic of the batch."""


@dataclass(frozen=True)
class Room:
    """Memory for activations, measured before the first step."""

    free: int
    """Bytes that activations may take on this rank."""
    preference: int
    """Bytes of one preference's activations without recomputing."""


@dataclass(frozen=True)
class Passes:
    """How a rank goes through its share of an optimizer batch."""

    two: bool
    micro_batch: int
    """Preferences that go backward at a time."""
    recompute: bool
    """Whether the backward computes activations again."""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the choice as JSON, so that a resumed training takes the same."""
        return asdict(self)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Passes:
        """Return what `to_json` gave."""
        return cls(**saved)


def needs_room(work: Work) -> bool:
    """Say whether the choice depends on memory: two passes may come, and recomputing was asked for."""
    return work.recompute and work.asked != "one" and not work.separable


def choose_passes(work: Work, room: Room | None = None) -> Passes:
    """Return the cheaper way, or the one that is asked for; both are exact.

    `room` is given where `needs_room`, and must be equal on every rank. TrainingError where one pass cannot
    be exact.
    """
    one = Passes(False, work.per_device, work.recompute)
    two = Passes(True, work.per_device, work.recompute)
    if work.recompute and room is not None and room.preference <= room.free:
        two = Passes(True, min(work.per_device, room.free // max(1, room.preference)), False)
    if work.asked == "one":
        if work.accumulation > 1 and not work.separable:
            raise TrainingError(
                f"train.passes is one, and a rank's share comes in {work.accumulation} micro-batches",
                wanted="every gap of the batch before any backward",
                do="set train.passes=auto, or train.accumulation=1",
            )
        return _because(one, "train.passes says so")
    if work.asked == "two":
        return _because(two, "train.passes says so")
    if work.separable:
        return _because(one, "no preference's loss waits for the others")
    if work.accumulation > 1:
        return _because(
            two, "gaps of the whole batch come before any backward, and it comes in micro-batches"
        )
    price_one = work.batch * (4 if one.recompute else 3)
    price_two = work.batch + work.kept * (4 if two.recompute else 3)
    cheaper = two if price_two < price_one else one
    return _because(cheaper, f"{price_two} forwards a batch in two passes, {price_one} in one")


def _because(passes: Passes, reason: str) -> Passes:
    return replace(passes, reason=reason)


def describe(passes: Passes) -> str:
    """Return the choice for a log line."""
    again = "computing activations again" if passes.recompute else "keeping activations"
    count = "two passes" if passes.two else "one pass"
    return f"{count}, backward {passes.micro_batch} at a time {again}: {passes.reason}"
