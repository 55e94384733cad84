"""A run on one kind of device: does it fit, how long does it take, what does it leave on disk."""

from __future__ import annotations

from dataclasses import dataclass

from dama.model.shape import ModelShape
from dama.plan.case import ANSWER_TOKENS, PAPER_PREFERENCES, PROMPT_TOKENS, Case, case_of
from dama.plan.device import Gpu
from dama.plan.memory import Memory, memory
from dama.plan.state import MASTER, MOMENTS
from dama.plan.time import Time, step_count, time
from dama.spec.run import RunSpec


@dataclass(frozen=True)
class Asked:
    """What a plan takes as given beside the run file."""

    prompt_tokens: int = PROMPT_TOKENS
    """Text of a prompt in its template; image tokens come on top."""
    answer_tokens: int = ANSWER_TOKENS
    preferences: int | None = None
    """None: the paper's number, or `data.limit` where that is less."""
    efficiency: float | None = None
    """Share of the GPU's peak that is reached; None: each GPU's own."""


@dataclass(frozen=True)
class Forecast:
    """One run on one kind of device."""

    device: str
    capacity: int
    """Bytes that one rank has."""
    memory: Memory
    time: Time | None
    """None on the CPU, whose speed nobody knows beforehand."""

    @property
    def fits(self) -> bool:
        """Say whether a rank's memory is enough."""
        return self.memory.total <= self.capacity


def preferences_of(spec: RunSpec, asked: Asked) -> int:
    """Return the number of preferences that the plan counts with."""
    if asked.preferences is not None:
        return asked.preferences
    return min(PAPER_PREFERENCES, spec.data.limit or PAPER_PREFERENCES)


def case_for(spec: RunSpec, shape: ModelShape, asked: Asked) -> Case:
    """Return the run's case under what was asked."""
    return case_of(spec, shape, asked.prompt_tokens, asked.answer_tokens)


def on_gpu(spec: RunSpec, shape: ModelShape, gpu: Gpu, asked: Asked) -> Forecast:
    """Return the forecast of a run on GPUs of one kind."""
    case, preferences = case_for(spec, shape, asked), preferences_of(spec, asked)
    needed = memory(case, gpu.memory)
    steps = step_count(case.batch, preferences, spec.train.epochs, spec.train.max_steps)
    taken = time(case, gpu, needed.passing, preferences=preferences, steps=steps, efficiency=asked.efficiency)
    return Forecast(gpu.name, gpu.memory, needed, taken)


def on_cpu(spec: RunSpec, shape: ModelShape, capacity: int, asked: Asked) -> Forecast:
    """Return the forecast of a run on the CPU of a machine that gives each rank `capacity` bytes."""
    return Forecast("cpu", capacity, memory(case_for(spec, shape, asked), capacity, cuda=False), None)


def checkpoint_bytes(case: Case) -> int:
    """Return the bytes of one checkpoint of all ranks: trained weights, their float32 copy, moments.

    Frozen weights are no part of it, and ZeRO 3 leaves the trained ones to their float32 copy.
    """
    master = MASTER if case.stage or case.weight < MASTER else 0
    weights = 0 if case.stage == 3 else case.weight
    return (weights + master + MOMENTS) * case.trained


def model_bytes(case: Case) -> int:
    """Return the bytes of the exported model."""
    return case.weight * case.shape.parameters
