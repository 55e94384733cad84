"""How long a step and the whole run take.

    f     forward of a preference that is run: tower, projector, text layers, head on answer tokens
    b     its backward: twice the forward of what is trained, once where only adapters are
    r     the text layers once more, where the backward computes activations again

    one pass      N · (f + b + r)
    two passes    N · f + K · (f + b + r), K filled up to a multiple of R
    compute       that / (R · peak · efficiency)
    weights       ZeRO 3 gathers w(Ψ+Φ) for every forward and every backward and scatters wΨ of gradients, a
                  micro-batch; it overlaps with computing, so the longer of the two counts
    gradients     ZeRO 0 to 2 reduce wΨ (0: there and back) and gather wΨ of new weights, a step, on top
    step          about 90 bytes of memory traffic a parameter for torch's AdamW, 60 on the host

Attention is run on whole rows where dense masks are used, so its squares are counted whole; useful operations
(`dama.model.flops`) are what MFU is made of. Reading and decoding images overlaps and is not counted, nor are
starting, facts and scores; the reference pass (a forward of every preference) is.
"""

from __future__ import annotations

from dataclasses import dataclass

from dama.model.flops import projector_flops, seen_pairs, text_flops, tower_flops, useful_flops
from dama.model.passes import Passes
from dama.plan.case import Case
from dama.plan.device import (
    BETWEEN_NODES,
    FLOAT32_SHARE,
    HOST_BANDWIDTH,
    LINK_SHARE,
    MEMORY_SHARE,
    Gpu,
)

_STEP_TRAFFIC, _HOST_TRAFFIC = 90, 60
"""Bytes a trained parameter that AdamW's element-wise operations read and write, on the GPU and the host."""


@dataclass(frozen=True)
class Time:
    """Seconds and what they come to."""

    compute: float
    communication: float
    """Of a step, whether or not it hides behind computing."""
    optimizer: float
    step: float
    steps: int
    reference: float
    """Seconds of the reference pass."""
    mfu: float
    preferences_per_second: float

    @property
    def hours(self) -> float:
        """Return the whole run: reference pass and all steps."""
        return (self.reference + self.steps * self.step) / 3600


def step_count(batch: int, preferences: int, epochs: float, max_steps: int | None) -> int:
    """Return the optimizer steps of a run, as `dama.train.batches` counts them."""
    return max_steps if max_steps is not None else max(1, int(epochs * (preferences // batch)))


def time(
    case: Case, gpu: Gpu, way: Passes, *, preferences: int, steps: int, efficiency: float | None = None
) -> Time:
    """Return the time of `steps` steps on `gpu`, and of the reference pass over `preferences`."""
    speed = gpu.flops * (efficiency or gpu.efficiency) * (1.0 if case.weight == 2 else FLOAT32_SHARE)
    forward, learned = forward_run(case), learned_run(case, recompute=way.recompute)
    kept = -(-case.kept // case.ranks) * case.ranks
    run = case.batch * forward + kept * learned if way.two else case.batch * learned
    compute = run / (case.ranks * speed)
    link = (gpu.link if case.nodes == 1 else BETWEEN_NODES) * LINK_SHARE
    communication = _traffic(case, way) / link
    optimizer = _optimizer(case, gpu)
    hidden = max(compute, communication) if case.stage == 3 else compute + communication
    step = hidden + optimizer
    useful = case.batch * _useful(case, learned=False) + case.kept * (
        _useful(case, learned=True) - _useful(case, learned=False)
    )
    gathered = case.weight * case.parameters if case.stage == 3 else 0
    micro = forward * case.per_device / speed
    reference = preferences / (case.ranks * case.per_device) * max(micro, gathered / link)
    return Time(
        compute=compute,
        communication=communication,
        optimizer=optimizer,
        step=step,
        steps=steps,
        reference=reference,
        mfu=useful / (case.ranks * gpu.flops * step),
        preferences_per_second=case.batch / step,
    )


def forward_run(case: Case) -> float:
    """Return the operations of one preference's forward as it is run."""
    return tower_flops(case.shape, case.shape.tower.layers) + projector_flops(case.shape) + _text(case)


def learned_run(case: Case, *, recompute: bool) -> float:
    """Return the operations of one preference's forward and backward as they are run."""
    backward = (1 if case.adapters else 2) * (_text(case) + projector_flops(case.shape))
    return forward_run(case) + backward + (_text(case) if recompute else 0.0)


def _text(case: Case) -> float:
    answers, text = [case.answer, case.answer], case.shape.text
    length = case.prompt + sum(answers)
    unseen = length**2 - seen_pairs(case.prompt, answers)
    masked = 4.0 * text.layers * text.heads * text.head_width * unseen
    return text_flops(case.shape, case.prompt, answers) + masked


def _useful(case: Case, *, learned: bool) -> float:
    answers = [case.answer, case.answer]
    return useful_flops(case.shape, case.prompt, answers, learned=learned, adapters=case.adapters > 0)


def _traffic(case: Case, way: Passes) -> float:
    """Return the bytes that a rank sends in one step."""
    other, w = (case.ranks - 1) / case.ranks, case.weight
    gradients, weights = w * case.trained * other, w * case.parameters * other
    learned = -(-case.kept // case.ranks) if way.two else case.steps_share
    backwards = -(-learned // way.micro_batch)
    forwards = -(-case.steps_share // case.per_device) if way.two else 0
    if case.stage == 3:
        return forwards * weights + backwards * (2 * weights + gradients)
    reduced = 2 * gradients if case.stage == 0 else gradients * (backwards if case.stage == 2 else 1)
    return reduced + (w * case.trained * other if case.stage else 0)


def _optimizer(case: Case, gpu: Gpu) -> float:
    share = case.trained if case.stage == 0 else case.trained / case.ranks
    if case.offload:
        local = case.ranks / case.nodes
        return share * local * _HOST_TRAFFIC / HOST_BANDWIDTH + share * 2 * (4 + case.weight) / 25e9
    return share * _STEP_TRAFFIC / (gpu.bandwidth * MEMORY_SHARE)
