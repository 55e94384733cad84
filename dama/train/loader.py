"""Reads preferences ahead of training, in processes of their own where that pays."""

from __future__ import annotations

import os

import torch
from torch.utils.data import DataLoader

from dama.train.batches import RankShare
from dama.train.dataset import Item, Preferences


def loader(dataset: Preferences, share: RankShare, workers: int, seed: int) -> DataLoader[Item]:
    """Return this rank's share of every optimizer batch; one pass over it is the whole run.

    What is read is `share`'s alone to say, so a resumed run skips steps there and reads nothing twice. The
    generator is the loader's own: how many workers there are leaves training's generators alone.
    """
    return DataLoader(
        dataset,
        batch_sampler=share,
        collate_fn=list,
        num_workers=workers,
        persistent_workers=workers > 0,
        worker_init_fn=_stand_aside if workers else None,
        generator=torch.Generator().manual_seed(seed),
    )


def workers_of(asked: int | None, device: str) -> int:
    """Return how many processes read ahead: as asked, else two beside a GPU, none on a CPU."""
    if asked is not None:
        return asked
    return 2 if device == "cuda" else 0


def _stand_aside(worker: int) -> None:
    """Leave the rank's process group: a signal to the group asks training to save, and that needs workers.

    They still end with their rank: torch's worker loop looks for its parent every few seconds.
    """
    os.setpgid(0, 0)
    torch.set_num_threads(1)
