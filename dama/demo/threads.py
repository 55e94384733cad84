"""Training with one number of threads, whoever calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_THREADS = 2


@contextmanager
def fixed_threads() -> Iterator[None]:
    """Let torch work with a fixed number of threads; sums of floats, and so bytes, depend on it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(_THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)
