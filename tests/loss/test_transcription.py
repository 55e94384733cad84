"""Loss and factors of every method against a second transcription, in numpy, of the paper and the release.

Written from the equations as DESIGN states them, one preference at a time, with Python's own sums and
exponentials: nothing here is vectorised as `dama.loss` is, and no line is shared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dama.loss.dama import Method, RunningMean, decide
from dama.loss.dpo import dpo_loss, gap
from dama.loss.filter import draw_near

Reading = Literal["paper", "release"]
Filter = Literal["none", "bottom", "top", "both", "random"]


@dataclass(frozen=True)
class Preference:
    """What the equations read of one preference."""

    policy: tuple[float, float]
    """log π of chosen and rejected."""
    reference: tuple[float, float]
    alpha_data: float


@dataclass(frozen=True)
class Step:
    """What one optimizer batch comes to."""

    kept: list[int]
    beta: list[float]
    alpha_model: float
    next_mean: float
    loss: float


def _logistic(x: float) -> float:
    return float(np.exp(-np.logaddexp(0.0, -x)))


def _gap(p: Preference) -> float:
    """Eq 1-2: [log π(y_w) − log π_ref(y_w)] − [log π(y_l) − log π_ref(y_l)]."""
    return (p.policy[0] - p.reference[0]) - (p.policy[1] - p.reference[1])


def _kept(values: list[float], mean: float, method: Method, drawn: list[int]) -> list[int]:
    """Eqs 9-10 and its controls; `drawn` is what chance kept, where chance decides."""
    everyone = list(range(len(values)))
    if method.filter == "none":
        return everyone
    if method.filter == "random" or (method.filter == "both" and method.reading == "release"):
        return drawn
    ascending = sorted(everyone, key=lambda i: (values[i], i))
    if method.filter == "top":  # the largest are dropped
        return sorted(ascending[: method.keep])
    if method.filter == "bottom":  # the smallest are dropped; of equal ones the later
        descending = sorted(everyone, key=lambda i: (-values[i], i))
        return sorted(descending[: method.keep])
    # undivided, as DESIGN has it: test_filter shows that Eq 9's division keeps the same set
    near = sorted(everyone, key=lambda i: ((values[i] - mean) * (values[i] - mean), i))
    return sorted(near[: method.keep])


def _step(preferences: list[Preference], method: Method, mean: float, drawn: list[int]) -> Step:
    """Eqs 6-16 for one optimizer batch."""
    gaps = [_gap(p) for p in preferences]
    count = len(gaps)
    if not method.model_aware:
        alpha_model, kept, next_mean = 1.0, list(range(count)), mean
    elif method.reading == "paper":
        rewards = [method.beta * g for g in gaps]  # Eq 8
        kept = _kept(rewards, mean, method, drawn)
        batch_mean = math.fsum(rewards[i] for i in kept) / len(kept)  # Eq 11, with 1/K
        alpha_model = _logistic(batch_mean) / _logistic(mean)  # Eqs 12-13
        next_mean = method.gamma * mean + (1 - method.gamma) * batch_mean  # Eq 14
    else:
        kept = _kept(gaps, mean, method, drawn)
        alpha_model = math.fsum(_logistic(gaps[i]) for i in kept) / len(kept) / _logistic(mean)
        next_mean = method.gamma * mean + (1 - method.gamma) * math.fsum(gaps) / count
    beta = []
    for p in preferences:
        data = p.alpha_data if method.data_aware else 1.0
        alpha = (
            data * alpha_model if method.rho is None else (1 - method.rho) * alpha_model + method.rho * data
        )
        own = method.beta * alpha  # Eq 15
        floored = method.model_aware and method.reading == "release"
        beta.append(max(own, 1e-3) if floored else own)
    losses = [float(np.logaddexp(0.0, -beta[i] * gaps[i])) for i in kept]  # −log σ(β_C·g), Eq 16
    return Step(kept, beta, alpha_model, next_mean, math.fsum(losses) / len(losses))


_LOGP = st.floats(-300, -0.01)
_PREFERENCE = st.builds(Preference, st.tuples(_LOGP, _LOGP), st.tuples(_LOGP, _LOGP), st.floats(0.5, 1.45))
_METHOD = {
    "dpo": {"data_aware": False, "model_aware": False},
    "d2po": {"data_aware": True, "model_aware": False},
    "mdpo": {"data_aware": False, "model_aware": True},
    "dama": {"data_aware": True, "model_aware": True},
}


@pytest.mark.parametrize("reading", ["paper", "release"])
@pytest.mark.parametrize("name", list(_METHOD))
@given(data=st.data())
def test_every_method_in_both_readings_equals_the_transcription(
    name: str, reading: Reading, data: st.DataObject
) -> None:
    preferences = data.draw(st.lists(_PREFERENCE, min_size=2, max_size=16))
    filters: list[Filter] = ["none", "bottom", "top", "both", "random"]
    method = Method(
        beta=data.draw(st.floats(0.01, 0.5)),
        keep=data.draw(st.integers(1, len(preferences))),
        gamma=data.draw(st.floats(0, 1)),
        filter=data.draw(st.sampled_from(filters)),
        reading=reading,
        rho=data.draw(st.none() | st.floats(0, 1)) if name == "dama" else None,
        **_METHOD[name],
    )
    mean = data.draw(st.just(0.0) | st.floats(-30, 30))
    policy, reference = (
        torch.tensor([getattr(p, which) for p in preferences], dtype=torch.float64)
        for which in ("policy", "reference")
    )
    alpha = torch.tensor([p.alpha_data for p in preferences], dtype=torch.float64)
    gap_N = gap(policy[:, 0], policy[:, 1], reference[:, 0], reference[:, 1])
    decision = decide(gap_N, alpha, method, RunningMean(mean), torch.Generator().manual_seed(0))
    kept = decision.kept_N.nonzero().flatten().tolist()

    wanted = _step(preferences, method, mean, drawn=kept)
    assert len(kept) == (method.keep if method.model_aware and method.filter != "none" else len(preferences))
    assert kept == wanted.kept
    assert decision.alpha_model == pytest.approx(wanted.alpha_model, rel=1e-9)
    assert decision.beta_N.tolist() == pytest.approx(wanted.beta, rel=1e-9)
    assert decision.next_mean.value == pytest.approx(wanted.next_mean, rel=1e-9, abs=1e-12)
    loss = float(dpo_loss(gap_N, decision.beta_N)[decision.kept_N].mean())
    assert loss == pytest.approx(wanted.loss, rel=1e-9, abs=1e-12)


def test_the_releases_draw_has_the_chances_of_drawing_one_after_the_other() -> None:
    """Two of four without replacement, weights exp(−½(g − R̄)²): each set's chance summed over its orders."""
    values, mean, draws = [0.2, 1.0, -1.5, 2.2], 0.5, 6000
    weight = [float(np.exp(-0.5 * (value - mean) ** 2)) for value in values]
    chance: dict[tuple[int, ...], float] = {}
    for first, second in permutations(range(4), 2):
        both = tuple(sorted((first, second)))
        left = sum(weight) - weight[first]
        chance[both] = chance.get(both, 0.0) + weight[first] / sum(weight) * weight[second] / left
    assert sum(chance.values()) == pytest.approx(1.0)

    generator = torch.Generator().manual_seed(7)
    counted = dict.fromkeys(chance, 0)
    for _ in range(draws):
        kept = draw_near(torch.tensor(values), mean, 2, generator).nonzero().flatten().tolist()
        counted[tuple(kept)] += 1
    for both, p in chance.items():
        four_deviations = 4 * math.sqrt(p * (1 - p) / draws)
        assert abs(counted[both] / draws - p) < four_deviations, both
