"""How a rank begins: device, threads, quiet libraries, the others."""

from __future__ import annotations

import logging
import os
import warnings

import torch

from dama.spec.train import TrainSpec
from dama.train import ranks


def begin(train: TrainSpec) -> torch.device:
    """Set this process up as a rank of a training, join the others, return the device.

    Must come before anything imports deepspeed, which decides for its accelerator once.
    """
    ranks.stand_alone()
    if train.device == "cpu":
        os.environ["DS_ACCELERATOR"] = "cpu"
        device = torch.device("cpu")
    else:
        device = torch.device("cuda", ranks.local_rank())
        torch.cuda.set_device(device)
    _share_threads(train)
    _quiet()
    if train.device == "cpu":
        import deepspeed.ops

        # DeepSpeed would compile a shared-memory all-reduce with the user's C++ compiler at the first start;
        # gloo does the same work here, and a laptop need not have a compiler.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    ranks.start(device)
    return device


def _share_threads(train: TrainSpec) -> None:
    """Give this rank `train.threads` CPU threads, or its share of the machine's cores."""
    cores = len(os.sched_getaffinity(0))
    threads = train.threads or max(1, cores // int(os.environ["LOCAL_WORLD_SIZE"]))
    torch.set_num_threads(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # accelerate would warn and choose by itself


def _quiet() -> None:
    """Keep libraries' notes to developers off the screen; their warnings to users stay."""
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch\.distributed")
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    os.environ.setdefault("DEEPSPEED_LOG_LEVEL", "warning")
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
