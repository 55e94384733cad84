"""Images decoded ahead of their use, by several threads, in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import torch
from torch import Tensor

MOST_THREADS = 16


def decoders() -> int:
    """Return how many threads decode on this machine: one a core that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_THREADS, cores)


def decoded(
    keys: Sequence[str], load: Callable[[str], Tensor], *, batch: int, threads: int
) -> Iterator[tuple[list[str], Tensor]]:
    """Yield `batch` keys at a time with their images, shape (image, 3, height, width), in order.

    While a batch is in use the next one is decoded, and no more than that, so at most three batches of pixels
    are held. What `load` raises comes out here, at the image's turn. Decoders work without Python's lock.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="dama-decode") as pool:
        ahead: deque[tuple[str, Future[Tensor]]] = deque()
        rest = iter(keys)
        try:
            while True:
                ahead.extend((key, pool.submit(load, key)) for key in islice(rest, 2 * batch - len(ahead)))
                if not ahead:
                    return
                now = [ahead.popleft() for _ in range(min(batch, len(ahead)))]
                yield [key for key, _ in now], torch.stack([image.result() for _, image in now])
        finally:
            for _, image in ahead:
                image.cancel()
