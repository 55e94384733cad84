"""The panels of one run: what is drawn, and what a reader should look for."""

from __future__ import annotations

import numpy as np

from dama.report.histograms import beta_panel
from dama.report.palette import accent
from dama.report.panels import Band, Floats, Line, Mark, Panel, smoothed, window_of
from dama.report.view import EASIEST, GROUPS, HARDEST, MIDDLE, RunView

PAPER_BETA = {"min": 0.0524, "max": 0.1428, "mean": 0.0999, "std": 0.0288}
"""β_D as the paper reports it for RLAIF-V (Fig. 7)."""
GAP_CAPTION = (
    "β·g of the quarter with the largest δ (easiest), the middle half, and the quarter with the smallest δ "
    "(hardest), smoothed. In the paper plain DPO lets the easy ones run away from the hard ones, and a "
    "data-aware β brings them together."
)
_ZERO = Mark("y", 0.0, "", "-")


def training_panels(view: RunView) -> tuple[Panel, ...]:
    """Return loss, rewards, margin and accuracy over steps, as far as they were recorded."""
    colour = accent(view.method)
    chosen = curve(view, "reward_chosen", colour, "chosen")
    rejected = curve(view, "reward_rejected", "rejected", "rejected")
    panels = (
        Panel(
            "loss",
            "Loss",
            "Starts at ln 2 ≈ 0.693, where the model and its reference agree, and should sink without jumps. "
            "The faint line is every step, the strong one a running mean.",
            "loss (nats per preference)",
            lines=(curve(view, "loss", colour),),
            marks=(Mark("y", float(np.log(2)), "ln 2"),),
        ),
        Panel(
            "rewards",
            "Rewards of chosen and rejected answers",
            "β times the log-ratio to the starting model. Rejected answers should sink; when chosen ones "
            "sink along with them, likelihood leaves both for something else.",
            "reward (nats)",
            lines=(chosen, rejected),
            marks=(_ZERO,),
        ),
        Panel(
            "margin",
            "Reward margin",
            "Chosen less rejected, mean of the whole batch. Steady growth is learning; growth without end "
            "while results stand still is over-optimisation.",
            "chosen − rejected (nats)",
            lines=(curve(view, "reward_margin", colour),),
            marks=(_ZERO,),
        ),
        Panel(
            "accuracy",
            "Preference accuracy",
            "Share of the batch whose chosen answer gained more than the rejected one. One half is chance.",
            "share of the batch (%)",
            lines=(curve(view, "accuracy", colour, scale=100.0),),
            marks=(Mark("y", 50.0, "chance"),),
            y_range=(0.0, 103.0),
        ),
    )
    return tuple(panel for panel in panels if drawable(panel))


def beta_panels(view: RunView) -> tuple[Panel, ...]:
    """Return β_D's histogram (Fig. 7), β_M (Fig. 8), β_C (Fig. 9) and R̄, for methods that have them."""
    colour, step = accent(view.method), view.curve("step")
    panels = [beta_panel(_beta_data(view), colour)] if view.uses_alpha_data else []
    if view.uses_alpha_model:
        panels.append(
            Panel(
                "beta_model",
                "Model-aware β_M and α_M",
                "β_M = β·α_M, one number per optimizer batch: above the dotted β where the batch did better "
                "than the running mean, below where worse. A line that lies on β means that the model-aware "
                "part is in effect its filter alone.",
                "β_M",
                paper="Fig. 8",
                lines=(curve(view, "beta_model", colour),),
                marks=(Mark("y", view.beta, ""),),
                right=("α_M", 1 / view.beta),
            )
        )
    if view.uses_alpha_data or view.uses_alpha_model:
        panels.append(
            Panel(
                "beta_combined",
                "Combined β_C",
                "The β that preferences were learned with: mean of the batch, and a band from its smallest "
                "to its largest. A wide band is the data speaking, a moving line the model.",
                "β_C",
                paper="Fig. 9",
                lines=(curve(view, "beta_combined_mean", colour, "mean"),),
                bands=(Band(step, view.curve("beta_combined_min"), view.curve("beta_combined_max"), colour),),
                marks=(Mark("y", view.beta, "β"),),
            )
        )
    if view.uses_alpha_model:
        batch, mean = curve(view, "batch_mean", "rejected", "batch"), curve(view, "running_mean", colour, "R̄")
        panels.append(
            Panel(
                "running_mean",
                "Running mean R̄ and the batch’s own",
                "R̄ starts at 0 and follows the batches’ means slowly. It should rise and stay positive; "
                "below 0 the model has come to prefer rejected answers.",
                "reward gap (nats)",
                lines=(batch, mean),
                marks=(_ZERO,),
            )
        )
    return tuple(panel for panel in panels if drawable(panel))


def gap_panel(view: RunView, name: str = "gaps") -> Panel | None:
    """Return the reward gaps of easy, middling and hard preferences; None where they are not known."""
    if view.gaps is None or not (view.gaps.group >= 0).any():
        return None
    steps, lines = np.unique(view.gaps.step), []
    for group in (EASIEST, MIDDLE, HARDEST):
        mean, count = group_means(view, group, steps)
        if count.any():
            lines.append(
                Line(
                    GROUPS[group],
                    steps,
                    smoothed(mean, window_of(len(steps)), count),
                    accent(view.method),
                    dash="--" if group == HARDEST else "-",
                    opacity=0.5 if group == MIDDLE else 1.0,
                )
            )
    return Panel(
        name,
        "Reward gap by hardness",
        GAP_CAPTION,
        "reward gap β·g (nats)",
        paper="Figs. 1, 6",
        lines=tuple(lines),
        marks=(_ZERO,),
    )


def group_means(view: RunView, group: int, steps: Floats) -> tuple[Floats, Floats]:
    """Return, for each of `steps` (T,), the mean reward gap of a group and how many it is the mean of."""
    if view.gaps is None:
        return np.full(len(steps), np.nan), np.zeros(len(steps))
    here = (view.gaps.group == group) & np.isfinite(view.gaps.gap)
    place = np.searchsorted(steps, view.gaps.step[here])
    count = np.bincount(place, minlength=len(steps)).astype(np.float64)
    total = np.bincount(place, weights=view.beta * view.gaps.gap[here], minlength=len(steps))
    mean = np.full(len(steps), np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean, count


def curve(view: RunView, name: str, colour: str, label: str = "", scale: float = 1.0) -> Line:
    """Return a column of the metrics as a smoothed line over its faint raw values."""
    raw = view.curve(name) * scale
    return Line(label, view.curve("step"), smoothed(raw, window_of(view.steps)), colour, faint=raw)


def drawable(panel: Panel) -> bool:
    """Say whether a panel holds a finite number to draw."""
    return panel.bars is not None or any(np.isfinite(line.y).any() for line in panel.lines)


def beta_statistics(view: RunView) -> dict[str, float]:
    """Return min, max, mean and standard deviation of β_D; empty where there is no α_D."""
    beta = _beta_data(view)
    if not len(beta):
        return {}
    low, high, mean, std = beta.min(), beta.max(), beta.mean(), beta.std()
    return {"min": float(low), "max": float(high), "mean": float(mean), "std": float(std)}


def _beta_data(view: RunView) -> Floats:
    beta = view.beta * (np.empty(0) if view.hardness is None else view.hardness.alpha_data)
    return beta[np.isfinite(beta)]
