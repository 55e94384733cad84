"""The most memory that one rank holds, by component, at the moment when it holds most.

    loading     the whole model on every GPU, and DeepSpeed's copies of it; stage 3 cuts it while it is read
    backward    state, what the forward kept, the head's backward; or its end, when all gradients are there
    step        state, gradients in float32, AdamW's temporaries

ZeRO's own buffers (DeepSpeed's defaults, in elements): a bucket of 5e8 gradients waiting to be reduced, and
as much again while it is; stage 3 adds up to 1e9 gathered weights and 5e7 fetched ahead. Stage 3 steps over
at most 1e9 parameters at a time, the other stages over all of theirs. On CUDA, torch's AdamW works on whole
lists and needs one float32 temporary of their size, on the CPU two of the largest tensor.
"""

from __future__ import annotations

from dataclasses import dataclass

from dama.model.passes import Passes
from dama.plan import activations
from dama.plan.case import Case
from dama.plan.device import CONTEXT, FRAGMENTS, PROCESS
from dama.plan.passes import passing
from dama.plan.state import MASTER, MOMENTS, State, state

BUCKET, LIVE, AHEAD, SUB_GROUP = 500_000_000, 1_000_000_000, 50_000_000, 1_000_000_000
"""DeepSpeed's defaults: reduce_bucket_size, stage3_max_live_parameters, prefetch, sub_group_size."""
PARTS = (
    "weights",
    "gradients",
    "optimizer state",
    "activations",
    "logits",
    "ZeRO buffers",
    "gathered weights",
    "step temporaries",
    "loading copies",
    "context",
    "fragments",
)
"""Components, in the order of a table."""


@dataclass(frozen=True)
class Memory:
    """What a rank needs at its worst moment."""

    parts: dict[str, int]
    """Bytes by component, in the order of PARTS, at the moment when the sum is largest."""
    moment: str
    """loading, backward or step."""
    passing: Passes
    host: int
    """Bytes on the host by offloading, one rank."""

    @property
    def total(self) -> int:
        """Return the sum."""
        return sum(self.parts.values())


def memory(case: Case, capacity: int, *, cuda: bool = True, bucket: int = BUCKET) -> Memory:
    """Return one rank's memory on a device of `capacity` bytes, which has a say in the number of passes."""
    kept = state(case)
    if not cuda:
        bucket = min(bucket, case.trained)  # pages that nobody writes to take no memory there
    way = passing(case, free(case, capacity, cuda=cuda, bucket=bucket))
    moments = {
        "loading": _loading(case, cuda),
        "backward": _backward(case, kept, way, bucket),
        "step": _step(case, kept, cuda, bucket),
    }
    name, parts = max(moments.items(), key=lambda item: sum(item[1].values()))
    parts["context"] = CONTEXT if cuda else PROCESS
    parts["fragments"] = int(FRAGMENTS * sum(value for key, value in parts.items() if key != "context"))
    ordered = {part: parts[part] for part in PARTS if parts.get(part)}
    return Memory(ordered, name, way, kept.host)


def free(case: Case, capacity: int, *, cuda: bool = True, bucket: int = BUCKET) -> int:
    """Return what is free before the first step, when the trainer measures, the moments to come taken off."""
    kept = state(case)
    held = kept.weights + kept.optimizer
    if case.stage == 3:
        held += kept.gradients + bucket * case.weight
    return max(0, capacity - held - (CONTEXT if cuda else PROCESS))


def _loading(case: Case, cuda: bool) -> dict[str, int]:
    w, share = case.weight, -(-case.trained // case.ranks)
    master = MASTER * share if case.stage and not (case.offload and cuda) else 0
    if case.stage == 3 and case.ranks > 1:
        text = case.shape.text
        passed_on = w * max(text.embedding, text.width * text.feed_forward)  # one weight at a time, whole
        weights = w * -(-case.parameters // case.ranks)
        return {"weights": weights, "loading copies": w * share + passed_on + master}
    at_once = (MASTER + MOMENTS + 4) * case.trained if w < MASTER else 0  # and gradients in float32
    copies = {0: at_once, 1: w * case.trained, 2: w * case.trained, 3: w * case.parameters}
    return {"weights": w * case.parameters, "loading copies": copies[case.stage] + master}


def _backward(case: Case, kept: State, way: Passes, bucket: int) -> dict[str, int]:
    micro, w = way.micro_batch, case.weight
    saved = activations.saved(case, micro, recompute=way.recompute)
    layer = activations.working(case, micro, recompute=way.recompute)
    head = activations.logits_kept(case, micro) + activations.logits_working(case, micro)
    gradients, largest = kept.gradients, activations.largest_gradient(case)
    several = way.micro_batch < (case.kept // case.ranks if way.two else case.steps_share)
    # Stage 0 gathers gradients while activations go: the most is at one end or the other, unless there are
    # gradients of an earlier micro-batch already.
    begins = saved + max(head, activations.looking(case, micro), layer) + largest
    if case.stage == 0 and not several and begins < layer + gradients:
        saved, head = 0, 0
    elif case.stage == 0 and not several:
        gradients = largest
    work = max(head, layer, activations.looking(case, micro))
    parts = {"weights": kept.weights, "gradients": gradients, "optimizer state": kept.optimizer}
    parts["activations"] = saved + (work if work > head else 0)
    parts["logits"] = head if work == head else 0
    if case.stage:
        waiting = w * (bucket if case.stage == 3 else min(bucket, case.trained))
        parts["ZeRO buffers"] = waiting + w * min(bucket, case.trained) + largest
    if case.stage == 3:
        parts["gathered weights"] = w * min(case.parameters, LIVE + AHEAD)
    return parts


def _step(case: Case, kept: State, cuda: bool, bucket: int) -> dict[str, int]:
    w = case.weight
    parts = {"weights": kept.weights, "optimizer state": kept.optimizer}
    if case.stage == 3:
        parts["gradients"] = kept.gradients
        parts["ZeRO buffers"] = w * bucket
        parts["gathered weights"] = w * min(case.parameters, LIVE + AHEAD)
    if case.offload:
        return parts
    share = case.trained if case.stage == 0 else -(-case.trained // case.ranks)
    at_once = min(share, SUB_GROUP) if case.stage == 3 else share
    low = w < MASTER
    if case.stage == 0:
        parts["gradients"] = w * share
        single = 2 * max(case.shape.text.embedding, case.shape.text.width * case.shape.text.feed_forward)
        temporaries = MASTER * (share if cuda else min(share, single))
    else:
        temporaries = MASTER * at_once * (1 if cuda else 2)
    copied = MASTER * at_once if case.stage or low else 0
    parts["step temporaries"] = temporaries + copied
    return parts
