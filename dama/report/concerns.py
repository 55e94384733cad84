"""What a person should be told before they believe a run's numbers."""

from __future__ import annotations

import numpy as np

from dama.hardness.summary import DOMINATES
from dama.report.view import HardnessView, RunView, number, said, signed

_LOST = 3.0
_FELL_BACK = 0.05
"""From this share of preferences on, the fall-back's facts are told of."""


def length_dominates(hardness: HardnessView) -> bool:
    """Say whether δ follows the number of facts more than it should."""
    return abs(hardness.length_correlation) > DOMINATES


def concerns(view: RunView) -> tuple[str, ...]:
    """Return warnings, one sentence or two each; empty when there is nothing to warn of."""
    return (*_results(view), *_hardness(view), *_training(view), *_data(view))


def _results(view: RunView) -> list[str]:
    found = []
    for change in view.changes():
        lost = change.improved is False and abs(change.difference or 0.0) > _LOST
        if lost and change.unit == "%":
            found.append(
                f"{said(change.measure)} got worse by {signed(change.difference).lstrip('−+')} points."
            )
    for when, results in (("before", view.before), ("after", view.after)):
        found += [
            f"{result.benchmark}, {when}: {result.unreadable:,} of {result.n:,} could not be read."
            for result in results
            if result.unreadable
        ]
        found += [
            f"{result.benchmark}, {when}: {result.missing:,} questions are missing and count in no figure."
            for result in results
            if result.missing
        ]
    return found


def _hardness(view: RunView) -> list[str]:
    hardness, found = view.hardness, []
    if hardness is None:
        return []
    if length_dominates(hardness):
        instead = " Try `hardness.aggregate: mean`." if hardness.aggregate == "sum" else ""
        r = number(hardness.length_correlation, 2)
        found.append(
            f"Length dominates hardness: δ correlates {r} with the difference in number of facts, so it "
            f"tells long answers from short ones more than easy from hard.{instead}"
        )
    if len(hardness.fell_back) > _FELL_BACK * len(hardness.ids):
        found.append(
            f"{len(hardness.fell_back):,} of {len(hardness.ids):,} preferences have an answer that the "
            "language model could not split; rules split it, and their facts are of another kind."
        )
    return found


def _training(view: RunView) -> list[str]:
    found = []
    if view.steps and not np.isfinite(view.curve("loss")).all():
        found.append("Some steps recorded no finite loss.")
    chosen, margin = _end(view, "reward_chosen"), _end(view, "reward_margin")
    if view.steps >= 20 and chosen < 0 and margin > 0 and -chosen > margin:
        found.append(
            f"The reward of chosen answers fell to {number(chosen, 2)}, further than the margin grew "
            f"({number(margin, 2)}): the model leaves both answers. A lower learning rate may help."
        )
    if view.uses_alpha_model and view.has("alpha_model"):
        alpha = view.curve("alpha_model")
        alpha = alpha[np.isfinite(alpha)]
        if len(alpha) >= 20 and np.abs(alpha[len(alpha) // 4 :] - 1).max() < 0.01:
            found.append(
                "α_M stays within 1 % of 1 after the first quarter: the model-aware β is in effect off."
            )
        if _end(view, "running_mean") < 0:
            found.append(
                "The running mean R̄ ends below 0: on average rejected answers gained more than chosen ones."
            )
    cut = view.curve("cut_tokens")
    if np.nansum(cut) > 0:
        found.append(f"{int(np.nansum(cut)):,} answer tokens did not fit train.max_length and were cut.")
    return found


def _data(view: RunView) -> list[str]:
    counts, found = view.counts, []
    if counts.quarantined and counts.quarantined >= 0.01 * max(1, counts.rows):
        share = 100 * counts.quarantined / max(1, counts.rows)
        found.append(f"{counts.quarantined:,} of {counts.rows:,} rows ({number(share)} %) are in quarantine.")
    if counts.over_long:
        found.append(
            f"{counts.over_long:,} of {counts.preferences:,} preferences pass train.max_length and were not "
            "trained on."
        )
    return found


def _end(view: RunView, name: str) -> float:
    """Return the mean of a curve's last tenth, NaN where it has none."""
    values = view.curve(name)
    values = values[np.isfinite(values)]
    return float(values[-max(1, len(values) // 10) :].mean()) if len(values) else float("nan")
