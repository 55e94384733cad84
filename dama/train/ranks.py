"""The ranks of one training: who am I, what do we have. The one file that speaks to torch.distributed."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


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


def start(device: torch.device) -> None:
    """Join the others, if that has not happened yet."""
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")


def stop() -> None:
    """Leave the others in good order."""
    if dist.is_initialized():
        dist.destroy_process_group()


def barrier() -> None:
    """Wait for all."""
    if dist.is_initialized() and world() > 1:
        dist.barrier()


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
    dist.all_gather_object(items, item)
    return items
