"""σ of one number: what data-aware and model-aware factors are ratios of (paper, Eqs 7 and 13)."""

from __future__ import annotations

import math


def sigmoid(x: float) -> float:
    """Return σ(x) = 1/(1 + e^-x) without overflow."""
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    grown = math.exp(x)
    return grown / (1.0 + grown)
