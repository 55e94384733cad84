"""How fast a training goes: preferences, tokens and useful operations per second, time left, memory.

All of it depends on the clock, so it goes to progress lines, loggers and notes beside the artifact, never
into the artifact. Tokens count once: image and prompt, then both answers. MFU is the share of the devices'
bfloat16 peak that went into useful operations (`dama.model.flops`); a preference that was only looked at
needs no backward, whatever was run.
"""

from __future__ import annotations

import resource
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch

from dama.errors import ModelError
from dama.model.encode import Encoded
from dama.model.flops import useful_flops
from dama.model.peak import peak_flops
from dama.model.shape import ModelShape, model_shape
from dama.train import ranks

_WINDOW = 20
"""Steps that a pace is the mean of."""
_GIB = 2**30


@dataclass(frozen=True)
class _Step:
    """One optimizer step of all ranks."""

    seconds: float
    preferences: int
    tokens: float
    flops: float


@dataclass(frozen=True)
class Pace:
    """How fast the last steps were, over all ranks."""

    preferences_per_second: float
    tokens_per_second: float
    mfu: float | None
    """Share of the peak, None where peak or operations are not known."""
    seconds_left: float
    memory_gib: float
    """Most memory a rank has needed so far: the GPU's, or on the CPU the process's."""

    def numbers(self) -> dict[str, float]:
        """Return what is known, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


class Throughput:
    """Counts the steps of one process; every rank calls it, in step."""

    def __init__(
        self,
        config: Mapping[str, Any],
        device: torch.device,
        steps: int,
        *,
        adapters: bool = False,
        peak: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`config` is the model's config.json; `steps` are those of the whole training; `peak` is a device's
        operations per second, by its name if left out."""
        self._shape = _shape(config)
        if peak is None and device.type == "cuda":
            peak = peak_flops(torch.cuda.get_device_name(device))
        self._peak = peak
        self._device, self._steps, self._adapters, self._clock = device, steps, adapters, clock
        self._recent: deque[_Step] = deque(maxlen=_WINDOW)
        self._before: float | None = None
        self._first = True
        self._total = _Step(0.0, 0, 0.0, 0.0)
        self._memory = 0.0

    def begin(self) -> None:
        """Start the clock."""
        self._before = self._clock()

    def step(self, done: int, share: Sequence[Encoded], kept: Sequence[bool]) -> Pace:
        """Return the pace after step `done` (from 1), with this rank's `share` of it and which are kept."""
        now = self._clock()
        seconds = now - (self._before if self._before is not None else now)
        self._before = now
        tokens = sum(encoded.tokens for encoded in share)
        flops = sum(self._flops(encoded, learned) for encoded, learned in zip(share, kept, strict=True))
        mine = torch.tensor([[tokens, flops, peak_bytes(self._device) / _GIB]], dtype=torch.float64)
        all_W3 = ranks.gathered(mine.to(self._device)).cpu()
        self._memory = float(all_W3[:, 2].max())
        preferences = len(share) * ranks.world()
        step = _Step(seconds, preferences, float(all_W3[:, 0].sum()), float(all_W3[:, 1].sum()))
        if self._first:  # it also chooses, compiles and warms up: shown, never part of a mean
            self._first = False
            return self._pace([step], self._steps - done)
        self._recent.append(step)
        self._total = _sum([self._total, step])
        return self._pace(self._recent, self._steps - done)

    def notes(self) -> dict[str, float | None]:
        """Return the pace of all steps but this process's first, for people to read beside the artifact."""
        if not self._total.preferences:
            return {"memory_gib": round(self._memory, 2)}
        pace = self._pace([self._total], 0)
        return {
            "preferences_per_second": round(pace.preferences_per_second, 3),
            "tokens_per_second": round(pace.tokens_per_second, 1),
            "mfu": round(pace.mfu, 4) if pace.mfu is not None else None,
            "memory_gib": round(self._memory, 2),
        }

    def _flops(self, encoded: Encoded, learned: bool) -> float:
        if self._shape is None:
            return 0.0
        answers = [len(ids) for ids in encoded.answers.values()]
        prompt = len(encoded.prompt_ids_P)
        return useful_flops(self._shape, prompt, answers, learned=learned, adapters=self._adapters)

    def _pace(self, steps: Sequence[_Step], left: int) -> Pace:
        whole = _sum(steps)
        seconds = max(whole.seconds, 1e-9)
        known = self._shape is not None and self._peak is not None
        peak = (self._peak or 1.0) * ranks.world()
        return Pace(
            whole.preferences / seconds,
            whole.tokens / seconds,
            whole.flops / seconds / peak if known else None,
            left * whole.seconds / len(steps),
            self._memory,
        )


def described(logs: Mapping[str, float]) -> str:
    """Return a step's numbers in a few words, for a progress line; what is not known is a dash."""
    share = f"{logs['mfu']:.0%}" if "mfu" in logs else "-"
    left = timedelta(seconds=round(logs["seconds_left"]))
    return (
        f"loss {logs['loss']:.3f}, margin {logs['reward_margin']:.2f}, "
        f"{logs['preferences_per_second']:.3g} preferences/s, {logs['tokens_per_second']:,.0f} tokens/s, "
        f"MFU {share}, {left} left"
    )


def peak_bytes(device: torch.device) -> int:
    """Return the most memory this process has held so far: on the GPU, or on the CPU all of its own."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


def _sum(steps: Sequence[_Step]) -> _Step:
    return _Step(
        sum(step.seconds for step in steps),
        sum(step.preferences for step in steps),
        sum(step.tokens for step in steps),
        sum(step.flops for step in steps),
    )


def _shape(config: Mapping[str, Any]) -> ModelShape | None:
    try:
        return model_shape(config)
    except ModelError:
        return None
