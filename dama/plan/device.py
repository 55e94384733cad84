"""GPUs that a run can be planned for: what their makers say, and what is assumed to be reached of it.

`efficiency` is the share of `flops` that the operations really run reach (matrices of LLaVA's size, bfloat16,
one row a preference): an assumption, stated with every plan and changed by `--efficiency`. Useful operations
are fewer, so MFU comes out lower.
"""

from __future__ import annotations

from dataclasses import dataclass

GIB = 2**30


@dataclass(frozen=True)
class Gpu:
    """One kind of GPU (SXM parts), bytes and seconds."""

    name: str
    memory: int
    """What the driver reports as its total."""
    flops: float
    """Dense bfloat16 operations a second."""
    bandwidth: float
    """Bytes a second to and from its own memory."""
    link: float
    """Bytes a second to the other GPUs of its machine, one way (NVLink)."""
    efficiency: float


GPUS = {
    gpu.name: gpu
    for gpu in (
        Gpu("a100-80", 81_251 * 2**20, 312e12, 2.039e12, 300e9, 0.50),
        Gpu("h100", 81_559 * 2**20, 989e12, 3.35e12, 450e9, 0.40),
        Gpu("h200", 143_771 * 2**20, 989e12, 4.8e12, 450e9, 0.42),
    )
}
FLOAT32_SHARE = 1 / 16
"""Of `flops`, for float32 without tensor cores (A100 19.5 of 312, H100 67 of 989)."""
LINK_SHARE = 0.7
"""Of `link`, that collectives reach."""
BETWEEN_NODES = 25e9
"""Bytes a second and GPU between machines: a 200 Gbit/s adapter each."""
MEMORY_SHARE = 0.8
"""Of `bandwidth`, that element-wise updates reach."""
HOST_BANDWIDTH = 100e9
"""Bytes a second of the host's memory, shared by its ranks, when the optimizer is offloaded."""
CONTEXT = int(1.5 * GIB)
"""CUDA's context, NCCL's buffers and cuBLAS's workspace."""
FRAGMENTS = 0.05
"""Of all tensors: what the allocator holds and cannot give."""
PROCESS = int(0.9 * GIB)
"""A rank on the CPU before it has a model: Python, torch, transformers, DeepSpeed."""
