"""How much memory activations may take, and how much those of one preference do: measured, not guessed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from dama.model.host import host_memory
from dama.model.passes import ROOM_SHARE, Room
from dama.spec.train import TrainSpec
from dama.train import ranks
from dama.train.dataset import Item
from dama.train.forward import Forward


def measure_room(
    model: Any,  # noqa: ANN401 - module or DeepSpeed engine
    forward: Forward,
    items: Sequence[Item],
    device: torch.device,
    coming: int = 0,
) -> Room:
    """Return the free memory of the rank that has least and the activations of the longest of all items.

    `coming` bytes are not taken yet and will be. Runs one forward on every rank, in step; gradient
    checkpointing must be off. Equal on every rank.
    """
    longest = max(items, key=lambda item: item.encoded.tokens)
    free = max(0, free_bytes(device) - coming)
    mine = torch.tensor([[int(ROOM_SHARE * free), -saved_bytes(model, forward, longest)]])
    least = ranks.gathered(mine.to(device)).min(dim=0).values
    return Room(free=int(least[0]), preference=int(-least[1]))


def saved_bytes(model: Any, forward: Forward, item: Item) -> int:  # noqa: ANN401
    """Return the bytes that a forward of `item` would keep for its backward, weights not counted.

    Nothing is kept, so this needs no more memory than a forward without gradients.
    """
    kept = 0
    alive: dict[int, StorageWeakRef] = {}

    def count(tensor: Tensor) -> None:
        nonlocal kept
        if isinstance(tensor, nn.Parameter) or isinstance(tensor._base, nn.Parameter):
            return
        storage = tensor.untyped_storage()
        known = alive.get(storage.data_ptr())
        # an address may come again once its tensor is gone
        if known is None or known.expired():  # type: ignore[no-untyped-call]
            alive[storage.data_ptr()] = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
            kept += storage.nbytes()

    def never(_: None) -> Tensor:
        raise AssertionError("there is no backward of what was only measured")

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(count, never):
        forward.logps(model, [item])
    return kept


def coming_moments(module: nn.Module, train: TrainSpec) -> int:
    """Return the bytes of AdamW's moments on this rank's device, which are made in the first step only."""
    if train.zero.offload and train.zero.stage:
        return 0
    sizes = (getattr(p, "ds_numel", p.numel()) for p in module.parameters() if p.requires_grad)
    return 2 * 4 * sum(sizes) // (train.ranks if train.zero.stage else 1)


def free_bytes(device: torch.device) -> int:
    """Return the bytes that this rank can still allocate; on the CPU, its share of what is free."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + unused
    return host_memory() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
