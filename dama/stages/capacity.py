"""Whether a training fits where it is about to start; told before any weight is loaded."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from dama.errors import ModelError
from dama.spec.run import RunSpec

log = logging.getLogger(__name__)


def capacity(device: Any) -> int:  # noqa: ANN401 - torch.device
    """Return the bytes that one rank has: its GPU's, or its share of what this machine can still give."""
    import torch

    from dama.model.host import host_memory

    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return host_memory() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def refuse_too_large(spec: RunSpec, folder: Path, capacity: int) -> None:
    """Raise TrainingError when the model in `folder` cannot fit; one of unknown shape passes with a word."""
    from dama.plan.refusal import refuse_if_too_large
    from dama.plan.sizes import shape_in

    try:
        shape = shape_in(folder)
    except ModelError as error:
        log.warning("whether the model fits is not known beforehand: %s", error)
        return
    refuse_if_too_large(spec, shape, capacity)
