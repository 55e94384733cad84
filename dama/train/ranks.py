"""The ranks of one training: who am I, what do we have. The one file that speaks to torch.distributed."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")

_WORD_LIMIT = timedelta(days=7)
"""How long ranks wait for each other's word: an upload of hundreds of gigabytes must fit in. A rank that died
is noticed at once whatever the limit, for its connections close."""
_words: dist.ProcessGroup | None = None
"""All ranks once more, over gloo: words travel between CPUs and never wait for a GPU."""


def stand_alone() -> None:
    """Give a process that torchrun did not start the surroundings of a world of one."""
    if "LOCAL_RANK" in os.environ:
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ.update(
        RANK="0",
        LOCAL_RANK="0",
        WORLD_SIZE="1",
        LOCAL_WORLD_SIZE="1",
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )


def rank() -> int:
    """Return this process's number."""
    return int(os.environ.get("RANK", "0"))


def local_rank() -> int:
    """Return this process's number on its machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def world() -> int:
    """Return how many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def machines() -> int:
    """Return how many machines the ranks are spread over, evenly."""
    return world() // int(os.environ.get("LOCAL_WORLD_SIZE", str(world())))


def machine() -> int:
    """Return this machine's number; ranks of one machine are numbered in a row."""
    return rank() // (world() // machines())


def start(device: torch.device) -> None:
    """Join the others, if that has not happened yet."""
    global _words
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        _words = dist.new_group(backend="gloo", timeout=_WORD_LIMIT)


def stop() -> None:
    """Leave the others in good order."""
    global _words
    if dist.is_initialized():
        dist.destroy_process_group()
        _words = None


def barrier() -> None:
    """Wait for all."""
    if dist.is_initialized() and world() > 1:
        dist.barrier(group=_words)


def highest(mine: Sequence[int]) -> list[int]:
    """Return the highest that any rank says, place by place."""
    if world() == 1:
        return list(mine)
    said = torch.tensor(mine, dtype=torch.int64)
    dist.all_reduce(said, op=dist.ReduceOp.MAX, group=_words)
    return [int(value) for value in said]


def gathered(part: Tensor) -> Tensor:
    """Return every rank's part, of one shape, joined in rank order along the first axis."""
    if world() == 1:
        return part
    parts = [torch.empty_like(part) for _ in range(world())]
    dist.all_gather(parts, part.contiguous())
    return torch.cat(parts)


def shared_folder(mine: Path) -> Path:
    """Return the folder that all ranks of this machine write to: the one that its first rank offers."""
    return Path(all_objects(str(mine))[rank() - local_rank()])


def share(count: int) -> range:
    """Return this rank's contiguous share of `count` things; shares differ by one at most."""
    each, more = divmod(count, world())
    first = rank() * each + min(rank(), more)
    return range(first, first + each + (1 if rank() < more else 0))


def all_objects(item: T) -> Sequence[T]:
    """Return every rank's object in rank order (small: it travels pickled, between our own ranks)."""
    if world() == 1:
        return [item]
    items = [item] * world()
    dist.all_gather_object(items, item, group=_words)
    return items
