"""DAMA's factors: by hand, and against a second transcription of the paper in numpy."""

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch

from dama.loss.dama import RELEASE_FLOOR, Decision, Method, RunningMean, decide
from dama.sigmoid import sigmoid

Array = npt.NDArray[np.float64]


def _decide(gaps: Any, method: Method, mean: float = 0.0, alpha: Any = None, seed: int = 0) -> Decision:
    gap = torch.as_tensor(gaps, dtype=torch.float64)
    alphas = torch.ones_like(gap) if alpha is None else torch.as_tensor(alpha, dtype=torch.float64)
    return decide(gap, alphas, method, RunningMean(mean), torch.Generator().manual_seed(seed))


def _numpy_paper(
    gap: Array, alpha: Array, beta: float, keep: int, gamma: float, mean: float
) -> tuple[Any, ...]:
    """Eqs 8-15 written down a second time, with Eq 9's division where R̄ is not 0."""
    reward = beta * gap
    normalised = reward / mean if mean else reward
    distance = (normalised - (1.0 if mean else 0.0)) ** 2
    kept = np.sort(np.argsort(distance, kind="stable")[:keep])
    batch_mean = float(np.sum(reward[kept]) / keep)
    alpha_model = (1 / (1 + np.exp(-batch_mean))) / (1 / (1 + np.exp(-mean)))
    return kept, alpha_model, beta * alpha * alpha_model, gamma * mean + (1 - gamma) * batch_mean


def test_plain_dpo_keeps_all_with_plain_beta() -> None:
    decision = _decide(
        [1.0, -2.0, 3.0], Method(beta=0.2, data_aware=False, model_aware=False), alpha=[2.0, 2.0, 2.0]
    )
    assert decision.kept_N.all()
    assert decision.beta_N.tolist() == [0.2, 0.2, 0.2]
    assert decision.next_mean == RunningMean(0.0)


def test_d2po_multiplies_beta_by_alpha_data() -> None:
    decision = _decide([1.0, -2.0], Method(data_aware=True, model_aware=False), alpha=[0.5, 1.4])
    assert decision.beta_N.tolist() == pytest.approx([0.05, 0.14])


def test_paper_reading_by_hand() -> None:
    """Rewards .1, −.2, .9, .3 with R̄ = .2: the two nearest are .1 and .3, their mean is .2, so α_M = 1."""
    method = Method(beta=0.1, keep=2, gamma=0.9, data_aware=False)
    decision = _decide([1.0, -2.0, 9.0, 3.0], method, mean=0.2)
    assert decision.kept_N.tolist() == [True, False, False, True]
    assert decision.batch_mean == pytest.approx(0.2)
    assert decision.alpha_model == pytest.approx(1.0)
    assert decision.next_mean.value == pytest.approx(0.2)


def test_release_reading_by_hand() -> None:
    """Raw gaps, all four kept: α_M is the mean of σ(g) over σ(R̄); R̄ moves by the whole batch's mean."""
    method = Method(beta=0.1, keep=4, gamma=0.9, data_aware=False, reading="release")
    decision = _decide([0.0, 1.0, 2.0, 5.0], method, mean=1.0)
    mean_sigmoid = sum(1 / (1 + math.exp(-g)) for g in (0.0, 1.0, 2.0, 5.0)) / 4
    assert decision.alpha_model == pytest.approx(mean_sigmoid * (1 + math.exp(-1.0)))
    assert decision.next_mean.value == pytest.approx(0.9 * 1.0 + 0.1 * 2.0)


def test_release_never_falls_below_its_floor() -> None:
    method = Method(beta=0.1, keep=2, reading="release")
    decision = _decide([-9.0, -8.0], method, mean=6.0, alpha=[0.6, 0.7])
    assert decision.beta_N.tolist() == [RELEASE_FLOOR, RELEASE_FLOOR]
    assert _decide([-9.0, -8.0], Method(keep=2), mean=6.0, alpha=[0.6, 0.7]).beta_N[0] != RELEASE_FLOOR


@pytest.mark.parametrize("mean", [0.0, 0.3, -0.4, 2.0])
@pytest.mark.parametrize("keep", [8, 10, 12, 14, 16])
def test_paper_reading_equals_the_numpy_transcription(mean: float, keep: int) -> None:
    random = np.random.default_rng(keep)
    gap, alpha = random.normal(2, 6, 16), random.uniform(0.5, 1.4, 16)
    decision = _decide(gap, Method(keep=keep), mean=mean, alpha=alpha)
    kept, alpha_model, beta, next_mean = _numpy_paper(gap, alpha, 0.1, keep, 0.9, mean)
    assert decision.kept_N.nonzero().flatten().tolist() == kept.tolist()
    assert decision.alpha_model == pytest.approx(alpha_model, rel=1e-12)
    assert decision.beta_N.numpy() == pytest.approx(beta, rel=1e-12)
    assert decision.next_mean.value == pytest.approx(next_mean, rel=1e-12)


def test_weighted_sum_mixes_both_factors() -> None:
    alpha = [0.5, 1.5]
    product = _decide([3.0, 5.0], Method(keep=2), mean=0.1, alpha=alpha)
    mixed = _decide([3.0, 5.0], Method(keep=2, rho=0.25), mean=0.1, alpha=alpha)
    wanted = [0.1 * (0.75 * product.alpha_model + 0.25 * a) for a in alpha]
    assert mixed.beta_N.tolist() == pytest.approx(wanted)


def test_near_zero_gaps_then_normal_then_negative_never_throw_the_running_mean() -> None:
    """The sequence that a literal Eq 9 turns into R̄ in the hundreds: rewards of 0.2 over R̄ = −4e-10."""
    method, mean, literal = Method(data_aware=False), RunningMean(), -4e-10
    batches = [np.full(16, -4e-8)] * 3 + [np.linspace(0, 4, 16)] * 20 + [np.linspace(-6, 0, 16)] * 20
    seen = []
    for gaps in batches:
        decision = _decide(gaps, method, mean=mean.value)
        mean = decision.next_mean
        seen.append((mean.value, decision.alpha_model))
    assert abs(0.1 * 2.0 / literal) > 1e8  # what the quotient would be
    assert max(abs(value) for value, _ in seen) < 0.6  # never beyond the largest reward
    assert all(0.7 < alpha < 1.3 for _, alpha in seen)
    assert seen[22][0] > 0.1  # followed the normal gaps up ...
    assert seen[-1][0] < 0  # ... and the negative ones down, and would come up again


def test_the_running_mean_starts_at_nothing_and_moves_by_one_minus_gamma() -> None:
    mean = RunningMean()
    assert mean.value == 0.0
    assert mean.update(2.0, 0.9).value == pytest.approx(0.2)
    assert mean.value == 0.0  # only `update` makes another


def test_data_hardness_range_of_the_paper() -> None:
    """δ in [−1, 1] with δ̄ = .0482 gives β_D in (.0525, .1428), the paper's spread."""
    centre = sigmoid(0.0482)
    low, high = 0.1 * sigmoid(-1.0) / centre, 0.1 * sigmoid(1.0) / centre
    assert (round(low, 4), round(high, 4)) == (0.0525, 0.1428)


@pytest.mark.parametrize("filter", ["none", "bottom", "top", "both", "random"])
@pytest.mark.parametrize("reading", ["paper", "release"])
def test_every_filter_keeps_as_many_as_it_says(
    filter: Literal["none", "bottom", "top", "both", "random"], reading: Literal["paper", "release"]
) -> None:
    decision = _decide(np.linspace(-3, 8, 16), Method(filter=filter, reading=reading, keep=10), mean=0.2)
    assert int(decision.kept_N.sum()) == (16 if filter == "none" else 10)


def test_same_generator_same_draw() -> None:
    method = Method(reading="release")
    gaps = np.linspace(-3, 8, 16)
    assert _decide(gaps, method, seed=5).kept_N.equal(_decide(gaps, method, seed=5).kept_N)


def test_gaps_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        _decide([1.0, float("nan")], Method(keep=1))


def test_factors_carry_no_gradient() -> None:
    gap = torch.tensor([1.0, 2.0], requires_grad=True)
    decision = decide(gap, torch.ones(2), Method(keep=1), RunningMean(), torch.Generator())
    assert not decision.beta_N.requires_grad
