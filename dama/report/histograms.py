"""How δ and the data-aware β are spread over a dataset (the paper's Fig. 7)."""

from __future__ import annotations

import numpy as np

from dama.report.panels import Bars, Floats, Mark, Panel
from dama.report.view import HardnessView, number, signed


def beta_panel(beta: Floats, colour: str) -> Panel:
    """Return the histogram of β_D (P,), its mean marked; without bars where there is none."""
    return Panel(
        "beta_data",
        "Distribution of β_D",
        "β_D = β·α_D of every preference. A wide, even spread means that hardness tells preferences apart; a "
        "spike means that it hardly does.",
        "preferences",
        "β_D",
        paper="Fig. 7",
        bars=_bars(beta, colour),
        marks=(Mark("x", float(beta.mean()), f"mean {number(float(beta.mean()), 4)}", "-"),)
        if len(beta)
        else (),
    )


def delta_panel(hardness: HardnessView, colour: str) -> Panel:
    """Return the histogram of δ (P,), its mean marked."""
    delta, mean = hardness.delta[np.isfinite(hardness.delta)], hardness.mean_delta
    return Panel(
        "delta",
        "Distribution of hardness δ",
        f"Above {hardness.even:g} the image is for the chosen answer (easy), below it for the rejected one "
        "(hard).",
        "preferences",
        "δ",
        bars=_bars(delta, colour),
        marks=(Mark("x", mean, f"mean {signed(mean, 3)}", "-"),) if len(delta) else (),
    )


def _bars(values: Floats, colour: str) -> Bars | None:
    """Return about the square root of their number of bins, 8 to 40, from the smallest to the largest."""
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-9:
        low, high = low - 0.01, high + 0.01
    counts, edges = np.histogram(values, bins=min(40, max(8, int(np.sqrt(len(values))))), range=(low, high))
    return Bars(edges.astype(np.float64), counts.astype(np.float64), colour)
