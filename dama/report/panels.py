"""What a figure shows, as plain data: lines, bands, bars and reference marks, with the words around them.

A panel is drawn by `dama.report.drawing`; what it holds can be checked without a picture. In all texts a
letter followed by `_` and a capital (`β_C`) is set as a subscript.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """One curve; `faint` holds the values before smoothing, drawn thin beneath it."""

    label: str
    x: Floats
    y: Floats
    colour: str
    faint: Floats | None = None
    dash: Literal["-", "--", ":", "-."] = "-"
    opacity: float = 1.0


@dataclass(frozen=True)
class Band:
    """The area between two curves."""

    x: Floats
    low: Floats
    high: Floats
    colour: str


@dataclass(frozen=True)
class Bars:
    """A histogram: n + 1 edges, n counts."""

    edges: Floats
    counts: Floats
    colour: str


@dataclass(frozen=True)
class Mark:
    """A reference value, as a thin line across the figure."""

    axis: Literal["x", "y"]
    value: float
    label: str
    dash: Literal["-", "--", ":"] = ":"


@dataclass(frozen=True)
class Panel:
    """One figure and the words that belong to it."""

    name: str
    """File name without its ending."""
    title: str
    caption: str
    """What to look for."""
    y_label: str
    x_label: str = "optimizer step"
    paper: str = ""
    """The paper's figure that it answers to."""
    lines: tuple[Line, ...] = ()
    bands: tuple[Band, ...] = ()
    bars: Bars | None = None
    marks: tuple[Mark, ...] = ()
    y_range: tuple[float, float] | None = None
    right: tuple[str, float] | None = None
    """A second scale on the right: its label, and the factor from the left one."""


def smoothed(values: Floats, window: int, weights: Floats | None = None) -> Floats:
    """Return the centred running mean of `values` (T,), weighted; NaN only where a window holds no number."""
    if not len(values):
        return values
    known = np.isfinite(values)
    weight = np.where(known, 1.0 if weights is None else weights, 0.0)
    width = min(window, len(values))
    kernel = np.ones(width - (width % 2 == 0))
    total = np.convolve(np.where(known, values, 0.0) * weight, kernel, mode="same")
    share = np.convolve(weight, kernel, mode="same")
    mean = np.full(len(values), np.nan)
    np.divide(total, share, out=mean, where=share > 1e-12)
    return mean


def window_of(steps: int) -> int:
    """Return an odd smoothing window for a curve of so many steps: a fifteenth of them."""
    return max(1, steps // 15) | 1
