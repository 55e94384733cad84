"""The device that is measured: waiting for it, its peak memory, the floating-point speed that it promises."""

from __future__ import annotations

import gc
from typing import Any

import torch
from trial import Peak

from dama.model.peak import peak_flops

GIB = 2**30


class Device:
    """A CUDA device, or the CPU so that a script can be tried without one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cuda = name != "cpu"
        self._peak: Peak | None = None

    @property
    def title(self) -> str:
        """Return its name and memory, for the head of a table."""
        if not self.cuda:
            return "the CPU"
        properties = torch.cuda.get_device_properties(self.name)
        return f"{properties.name}, {properties.total_memory / GIB:.0f} GiB"

    @property
    def bytes(self) -> int:
        """Return the size of its memory; 0 for the CPU."""
        return int(torch.cuda.get_device_properties(self.name).total_memory) if self.cuda else 0

    def peak_flops(self) -> float | None:
        """Return the floating-point operations a second it promises in bfloat16; None where unknown."""
        if not self.cuda:
            return None
        return peak_flops(torch.cuda.get_device_name(self.name))

    def wait(self) -> None:
        """Wait until all that was asked of it is done."""
        if self.cuda:
            torch.cuda.synchronize(self.name)

    def watch(self) -> None:
        """Start looking for peak memory from here on."""
        gc.collect()
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.name)
        else:
            self._peak = Peak()

    def peak_gib(self) -> float:
        """Return the peak since `watch`: all of it on CUDA, the growth on the CPU."""
        if self.cuda:
            return float(torch.cuda.max_memory_allocated(self.name)) / GIB
        return self._peak.mib() / 1024 if self._peak else 0.0


class MasterAdamW:
    """AdamW on float32 copies of bfloat16 weights, as DeepSpeed's bf16 keeps them: 12 bytes a weight.

    One optimizer a weight, so that float32 gradients exist for one weight at a time.
    """

    def __init__(self, weights: list[Any], learning_rate: float) -> None:
        self._weights = weights
        self._masters = [weight.detach().float().clone() for weight in weights]
        fused = weights[0].is_cuda
        self._optimizers = [
            torch.optim.AdamW([master], lr=learning_rate, weight_decay=0.0, fused=fused)
            for master in self._masters
        ]

    @torch.no_grad()
    def step(self) -> None:
        """Clip to a norm of 1, step, and write the weights back."""
        torch.nn.utils.clip_grad_norm_(self._weights, 1.0)
        for weight, master, optimizer in zip(self._weights, self._masters, self._optimizers, strict=True):
            if weight.grad is None:
                continue
            master.grad = weight.grad.float()
            optimizer.step()
            master.grad = None
            weight.copy_(master)
