"""Refuses a run that cannot fit, before its first step and before its weights are loaded."""

from __future__ import annotations

from dama.errors import TrainingError
from dama.model.shape import ModelShape
from dama.plan.case import case_of
from dama.plan.device import CONTEXT, GIB, PROCESS, Gpu
from dama.plan.forecast import Asked
from dama.plan.memory import Memory, memory
from dama.plan.proposals import proposals
from dama.spec.run import RunSpec

_LEAST_PROMPT, _LEAST_ANSWER = 8, 16
"""Tokens that hardly any data is shorter than: only what cannot fit is refused, not what may be tight."""


def refuse_if_too_large(spec: RunSpec, shape: ModelShape, capacity: int) -> None:
    """Raise TrainingError when no rank of the run could hold what it must, on `capacity` bytes each.

    `capacity` is the whole memory of the rank's GPU, or its share of the host's where it trains on the CPU.
    Short answers are assumed and no fragments, so that a run that could fit is never refused.
    """
    cuda = spec.train.device == "cuda"
    case = case_of(spec, shape, _LEAST_PROMPT, _LEAST_ANSWER, long=1)
    needed = memory(case, capacity, cuda=cuda)
    least = _least(needed, cuda)
    if least <= capacity:
        return
    parts = ", ".join(
        f"{name} {size / GIB:.1f}"
        for name, size in needed.parts.items()
        if size > GIB // 20 and name != "fragments"
    )
    do = "train with more ranks or a smaller model"
    if cuda:
        gpu = Gpu("this GPU", capacity, 1e15, 1e12, 1e11, 0.4)
        found = proposals(spec, shape, gpu, Asked())
        if found:
            do = " ".join(f"--set {item}" for item in found[0].overrides)
    raise TrainingError(
        f"a rank needs {least / GIB:.1f} GiB ({needed.moment}: {parts}) and has {capacity / GIB:.1f}",
        wanted="a run that fits; `dama plan` reckons it",
        do=do,
    )


def _least(needed: Memory, cuda: bool) -> int:
    """Return the need without allowances; a process on the CPU already has its libraries."""
    return needed.total - needed.parts.get("fragments", 0) - (CONTEXT // 2 if cuda else PROCESS)
