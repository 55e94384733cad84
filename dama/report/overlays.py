"""The panels of several runs laid over each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from dama.report.figures import gap_panel
from dama.report.palette import accent
from dama.report.panels import Line, Mark, Panel, smoothed, window_of
from dama.report.view import RunView

_DASHES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")


def overlay_panels(views: Sequence[RunView]) -> tuple[Panel, ...]:
    """Return loss, margin, reward and accuracy: colour by method, a dash for each further run of it."""
    panels = (
        Panel(
            "loss",
            "Loss",
            "Losses with different β are on different scales: look at the shape, not the height.",
            "loss (nats per preference)",
            lines=_lines(views, "loss"),
            marks=(Mark("y", float(np.log(2)), "ln 2"),),
        ),
        Panel(
            "margin",
            "Reward margin",
            "Chosen less rejected, with each run's plain β. A method that gets the same results with less "
            "margin has moved less far from its start.",
            "chosen − rejected (nats)",
            lines=_lines(views, "reward_margin"),
            marks=(Mark("y", 0.0, "", "-"),),
        ),
        Panel(
            "reward_chosen",
            "Reward of chosen answers",
            "β times the log-ratio to the starting model. A run whose line sinks below 0 has come to say its "
            "chosen answers less often than before.",
            "reward (nats)",
            lines=_lines(views, "reward_chosen"),
            marks=(Mark("y", 0.0, "", "-"),),
        ),
        Panel(
            "accuracy",
            "Preference accuracy",
            "Share of the batch whose chosen answer gained more. One half is chance.",
            "share of the batch (%)",
            lines=_lines(views, "accuracy", 100.0),
            marks=(Mark("y", 50.0, "chance"),),
            y_range=(0.0, 103.0),
        ),
    )
    return tuple(panel for panel in panels if panel.lines)


def gap_panels(views: Sequence[RunView]) -> tuple[Panel, ...]:
    """Return one panel a run, all on one scale: reward gaps by hardness (see GAP_CAPTION)."""
    found = [(view, gap_panel(view, f"gaps-{view.run}")) for view in views]
    panels = [(view, panel) for view, panel in found if panel is not None]
    values = [value for _, panel in panels for line in panel.lines for value in line.y if np.isfinite(value)]
    if not values:
        return ()
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.06 * (high - low) or 0.5
    return tuple(
        replace(panel, title=view.run, caption="", paper="", y_range=(low - room, high + room))
        for view, panel in panels
    )


def _lines(views: Sequence[RunView], name: str, scale: float = 1.0) -> tuple[Line, ...]:
    seen: Counter[str] = Counter()
    lines = []
    for view in views:
        dash = _DASHES[seen[view.method] % len(_DASHES)]
        seen[view.method] += 1
        if view.has(name):
            y = smoothed(view.curve(name) * scale, window_of(view.steps))
            lines.append(Line(view.run, view.curve("step"), y, accent(view.method), dash=dash))
    return tuple(lines)
