"""A rank's random number generators, saved and put back."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch


def save_rng(path: Path) -> None:
    """Write the state of Python's, NumPy's, torch's and this rank's GPU's generators to a file of tensors."""
    version, words, gauss = random.getstate()
    name, key, place, has_gauss, cached = np.random.get_state(legacy=True)
    state: dict[str, Any] = {
        "python": torch.tensor(words),
        "python_rest": (version, gauss),
        "numpy": torch.from_numpy(np.asarray(key).astype(np.int64)),
        "numpy_rest": (str(name), int(place), int(has_gauss), float(cached)),
        "cpu": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    torch.save(state, path)


def read_rng(path: Path) -> dict[str, Any]:
    """Return what `save_rng` wrote."""
    return dict(torch.load(path, weights_only=True))


def put_back_rng(state: dict[str, Any]) -> None:
    """Put every generator into the state that was saved."""
    version, gauss = state["python_rest"]
    random.setstate((version, tuple(state["python"].tolist()), gauss))
    name, place, has_gauss, cached = state["numpy_rest"]
    np.random.set_state((name, state["numpy"].numpy().astype(np.uint32), place, has_gauss, cached))
    torch.set_rng_state(state["cpu"])
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"])
