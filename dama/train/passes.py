"""Whether an optimizer batch takes one pass or two, and why.

α_M and the filter need every gap of the batch before any loss exists. Costs in forwards of one preference,
for N preferences of which K are kept (a backward is two forwards, recomputed activations one more):

    one pass     forward with gradients, decision, backward through all            3N, or 4N recomputing
    two passes   forward without gradients, decision, forward and backward         N + 3K, or N + 4K
                 of the kept only

One pass needs the activations of a rank's whole share at one time; two passes those of one micro-batch, so
they can often do without recomputing where one pass cannot. A method without a statistic of the batch (DPO,
D2PO) takes one pass at any accumulation: its micro-batches go backward as they come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from dama.errors import TrainingError
from dama.loss.dama import Method
from dama.spec.train import TrainSpec


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
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return the choice as JSON, so that a resumed training takes the same."""
        return asdict(self)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Passes:
        """Return what `to_json` gave."""
        return cls(**saved)


def separable(method: Method) -> bool:
    """Say whether each preference's loss stands alone, without a statistic of the batch."""
    return not method.model_aware


def needs_room(train: TrainSpec, method: Method) -> bool:
    """Say whether the choice depends on memory: two passes may come, and recomputing was asked for."""
    return train.gradient_checkpointing and train.passes != "one" and not separable(method)


def choose_passes(train: TrainSpec, method: Method, room: Room | None = None) -> Passes:
    """Return the cheaper way, or the one that `train.passes` asks for; both are exact.

    `room` is given where `needs_room`, and must be equal on every rank. TrainingError where one pass cannot
    be exact.
    """
    recompute, at_once = train.gradient_checkpointing, train.per_device_batch
    one = Passes(False, at_once, recompute, "")
    two = Passes(True, at_once, recompute, "")
    if recompute and room is not None and room.preference <= room.free:
        fits = min(at_once, room.free // max(1, room.preference))
        two = Passes(True, fits, False, "")
    if train.passes == "one":
        if train.accumulation > 1 and not separable(method):
            raise TrainingError(
                f"train.passes is one, and a rank's share comes in {train.accumulation} micro-batches",
                wanted="every gap of the batch before any backward",
                do="set train.passes=auto, or train.accumulation=1",
            )
        return _because(one, "train.passes says so")
    if train.passes == "two":
        return _because(two, "train.passes says so")
    if separable(method):
        return _because(one, "no preference's loss waits for the others")
    if train.accumulation > 1:
        return _because(
            two, "gaps of the whole batch come before any backward, and it comes in micro-batches"
        )
    kept = train.batch if method.filter == "none" else min(method.keep, train.batch)
    price_one = train.batch * (4 if one.recompute else 3)
    price_two = train.batch + kept * (4 if two.recompute else 3)
    cheaper = two if price_two < price_one else one
    return _because(cheaper, f"{price_two} forwards a batch in two passes, {price_one} in one")


def _because(passes: Passes, reason: str) -> Passes:
    return replace(passes, reason=reason)


def describe(passes: Passes) -> str:
    """Return the choice for a log line."""
    again = "computing activations again" if passes.recompute else "keeping activations"
    count = "two passes" if passes.two else "one pass"
    return f"{count}, backward {passes.micro_batch} at a time {again}: {passes.reason}"
