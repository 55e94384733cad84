"""Scores to hardness to the data-aware factor: Eqs 4-7, in float64.

    paper   ours                     what
    C_w     chosen scores            scaled CLIP logits of the chosen answer's facts, any number >= 1
    C_l     rejected scores          of the rejected answer's facts, any number >= 1
    P_w     chosen probabilities     their shares in the softmax over both answers' facts
    P_l     rejected probabilities
    δ       delta                    hardness, in [-1, 1] for form `probabilities`
    δ̄       mean_delta               mean of δ over the whole dataset
    α_D     alpha_data               σ(δ)/σ(δ̄)

The sums are `math.fsum`, which rounds once: equal data gives equal δ̄ in whatever order it comes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from dama.errors import HardnessError
from dama.sigmoid import sigmoid

Form = Literal["probabilities", "scores"]
Aggregate = Literal["sum", "mean"]


def probabilities(chosen: Sequence[float], rejected: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return P_w and P_l, the softmax over [C_w; C_l] (Eq 4); the largest score is taken off first."""
    scores = [*chosen, *rejected]
    top = max(scores)
    grown = [math.exp(score - top) for score in scores]
    total = math.fsum(grown)
    shares = [one / total for one in grown]
    return shares[: len(chosen)], shares[len(chosen) :]


def delta_of_probabilities(
    chosen: Sequence[float], rejected: Sequence[float], aggregate: Aggregate = "sum"
) -> float:
    """Return δ of P_w and P_l, in [-1, 1].

    sum:  δ = ΣP_w − ΣP_l (Eq 5). Facts count, so the longer answer tends to win.
    mean: δ = (m_w − m_l)/(m_w + m_l), m the mean probability of a fact. The plain difference of means shrinks
          as answers grow; the division puts it back on [-1, 1] and equals Eq 5 when both have as many facts.
    """
    p_w, p_l = math.fsum(chosen), math.fsum(rejected)
    if aggregate == "mean":
        p_w, p_l = p_w / len(chosen), p_l / len(rejected)
    # Sums add up to 1 by Eq 4; dividing takes off the softmax's rounding, so δ never leaves [-1, 1].
    return (p_w - p_l) / (p_w + p_l)


def delta_of_scores(
    chosen: Sequence[float], rejected: Sequence[float], aggregate: Aggregate = "sum"
) -> float:
    """Return δ = ΣC_w / ΣC_l, or the ratio of means: the ablation without Eq 4.

    A ratio of scores has no meaning when its denominator is not positive: at zero it is infinite, below zero
    the worse answer would look better. HardnessError then: no number put in its place would be the ablation.
    """
    c_w, c_l = math.fsum(chosen), math.fsum(rejected)
    if aggregate == "mean":
        c_w, c_l = c_w / len(chosen), c_l / len(rejected)
    if c_l <= 0:
        raise HardnessError(
            f"the rejected answer's scores sum to {c_l:.6g}",
            wanted="a positive sum, for form 'scores' divides by it",
            do="use hardness.form=probabilities, or a CLIP model whose scores are positive",
        )
    return c_w / c_l


def delta(
    name: str, chosen: Sequence[float], rejected: Sequence[float], form: Form, aggregate: Aggregate
) -> float:
    """Return δ of one preference's scores; HardnessError naming the preference when there is none."""
    if not chosen or not rejected:
        raise HardnessError(f"preference {name} has an answer without scores", do="run stage scores again")
    for score in (*chosen, *rejected):
        if not math.isfinite(score):
            raise HardnessError(
                f"preference {name} has the score {score}",
                wanted="finite scores",
                do="check the CLIP weights, delete the scores' artifact and run stage scores again",
            )
    try:
        if form == "scores":
            found = delta_of_scores(chosen, rejected, aggregate)
        else:
            found = delta_of_probabilities(*probabilities(chosen, rejected), aggregate)
    except HardnessError as error:
        raise HardnessError(f"preference {name}: {error.found}", wanted=error.wanted, do=error.do) from error
    if not math.isfinite(found):
        raise HardnessError(f"preference {name} has hardness {found}", do="use hardness.form=probabilities")
    return found


def mean_delta(deltas: Iterable[float]) -> float:
    """Return δ̄, independent of the order of its items (Eq 6)."""
    items = list(deltas)
    if not items:
        raise HardnessError("no preference to take the mean hardness of")
    return math.fsum(items) / len(items)


def alpha_data(delta: float, mean_delta: float) -> float:
    """Return α_D = σ(δ)/σ(δ̄) (Eq 7)."""
    return sigmoid(delta) / sigmoid(mean_delta)
