"""Eqs 4-7 by hand, against fifty-digit decimals, and as properties."""

from __future__ import annotations

import math
import random
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dama.errors import HardnessError
from dama.hardness.alpha import (
    Aggregate,
    alpha_data,
    delta,
    delta_of_probabilities,
    delta_of_scores,
    mean_delta,
    probabilities,
)

HOW: st.SearchStrategy[Aggregate] = st.sampled_from(["sum", "mean"])
SCORES = st.lists(st.floats(-100, 100), min_size=1, max_size=40)


def exact_delta(chosen: list[float], rejected: list[float], mean: bool = False) -> Decimal:
    """Work Eqs 4-5 in fifty digits, without taking the largest score off."""
    with localcontext() as context:
        context.prec = 50
        w, r = ([Decimal(score).exp() for score in side] for side in (chosen, rejected))
        total = sum(w) + sum(r)
        p_w, p_r = (sum((x / total for x in side), Decimal(0)) for side in (w, r))
        if mean:
            p_w, p_r = p_w / len(w), p_r / len(r)
            return (p_w - p_r) / (p_w + p_r)
        return p_w - p_r


def exact_sigmoid(x: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = 50
        return 1 / (1 + (-x).exp())


def fan(count: int, top: float, step: float) -> list[float]:
    return [top - step * index for index in range(count)]


RAGGED = [
    ([20.0], [18.0]),
    ([0.0], [0.0]),
    (fan(40, 25.0, 0.5), fan(3, 24.0, 1.0)),
    (fan(3, 24.0, 1.0), fan(40, 25.0, 0.5)),
    ([100.0], [-100.0]),
    ([-100.0, -100.0], [100.0]),
    ([100.0, 99.5], [100.0, -100.0, 3.0]),
    ([-100.0], [-100.0, -99.0]),
]


@pytest.mark.parametrize(("chosen", "rejected"), RAGGED)
@pytest.mark.parametrize("mean", [False, True])
def test_delta_and_alpha_equal_fifty_digits(chosen: list[float], rejected: list[float], mean: bool) -> None:
    found = delta("x", chosen, rejected, "probabilities", "mean" if mean else "sum")
    exact = exact_delta(chosen, rejected, mean)
    assert abs(Decimal(found) - exact) < Decimal("1e-12")
    exact_alpha = exact_sigmoid(exact) / exact_sigmoid(Decimal("0.0482"))
    assert abs(Decimal(alpha_data(found, 0.0482)) - exact_alpha) < Decimal("1e-12")


def test_delta_by_hand() -> None:
    # One fact each, two nats apart: δ = tanh(1). Scores ln 2, ln 3 against ln 5: P = .2, .3, .5.
    assert delta("x", [20.0], [18.0], "probabilities", "sum") == pytest.approx(math.tanh(1), abs=1e-15)
    chosen, rejected = probabilities([math.log(2), math.log(3)], [math.log(5)])
    assert chosen == pytest.approx([0.2, 0.3], abs=1e-15)
    assert rejected == pytest.approx([0.5], abs=1e-15)
    assert delta_of_probabilities(chosen, rejected, "sum") == pytest.approx(0.0, abs=1e-15)
    # Means .25 and .5: (.25 − .5)/(.25 + .5) = −1/3.
    assert delta_of_probabilities(chosen, rejected, "mean") == pytest.approx(-1 / 3, abs=1e-15)


def test_the_range_of_beta_is_the_papers() -> None:
    low, high = (0.1 * alpha_data(delta, 0.0482) for delta in (-1.0, 1.0))
    assert low == pytest.approx(0.0525, abs=5e-5)
    assert high == pytest.approx(0.1428, abs=5e-5)


def test_raw_cosines_would_be_flat() -> None:
    # Why scores are scaled: a cosine .30 against .20 is δ = .05, its logits 30 against 20 are δ ≈ 1.
    assert delta("x", [0.30], [0.20], "probabilities", "sum") == pytest.approx(math.tanh(0.05), abs=1e-12)
    assert delta("x", [30.0], [20.0], "probabilities", "sum") > 0.9999


@given(SCORES, SCORES, HOW)
def test_delta_stays_in_range_and_turns_with_its_sides(
    w: list[float], r: list[float], how: Aggregate
) -> None:
    found = delta("x", w, r, "probabilities", how)
    assert -1.0 <= found <= 1.0
    assert delta("x", r, w, "probabilities", how) == pytest.approx(-found, abs=1e-12)


@given(SCORES, SCORES)
def test_probabilities_add_up_to_one(w: list[float], r: list[float]) -> None:
    chosen, rejected = probabilities(w, r)
    assert (len(chosen), len(rejected)) == (len(w), len(r))
    assert math.fsum([*chosen, *rejected]) == pytest.approx(1.0, abs=1e-12)
    assert min(*chosen, *rejected) >= 0.0


@given(SCORES, SCORES, st.floats(-50, 50))
def test_delta_does_not_see_a_shift_of_all_scores(w: list[float], r: list[float], shift: float) -> None:
    moved = delta("x", [s + shift for s in w], [s + shift for s in r], "probabilities", "sum")
    assert moved == pytest.approx(delta("x", w, r, "probabilities", "sum"), abs=1e-9)


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=1, max_size=20))
def test_sum_and_mean_agree_on_answers_of_one_length(pairs: list[tuple[float, float]]) -> None:
    w, r = [a for a, _ in pairs], [b for _, b in pairs]
    by_sum = delta("x", w, r, "probabilities", "sum")
    by_mean = delta("x", w, r, "probabilities", "mean")
    assert by_sum == pytest.approx(by_mean, abs=1e-12)


@given(SCORES, st.floats(-100, 100))
def test_an_added_fact_lowers_the_sum_whatever_it_says(scores: list[float], added: float) -> None:
    # Chosen plus one more fact: by sums the longer answer can only win. It is why `mean` is offered.
    assert delta("x", scores, [*scores, added], "probabilities", "sum") <= 0.0


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=50), st.randoms())
def test_the_mean_does_not_depend_on_order(deltas: list[float], rng: random.Random) -> None:
    shuffled = sorted(deltas, key=lambda _: rng.random())
    assert mean_delta(shuffled) == mean_delta(deltas)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_alpha_grows_with_delta_and_is_one_at_the_mean(a: float, b: float, mean: float) -> None:
    low, high = sorted((a, b))
    assert alpha_data(low, mean) <= alpha_data(high, mean)
    assert alpha_data(mean, mean) == 1.0
    assert alpha_data(a, mean) > 0.0


def test_the_scores_form_is_a_ratio() -> None:
    assert delta_of_scores([20.0, 25.0], [15.0]) == 3.0
    assert delta_of_scores([20.0, 25.0], [15.0], "mean") == 1.5
    assert delta("x", [-3.0], [2.0], "scores", "sum") == -1.5


@pytest.mark.parametrize("rejected", [[0.0], [-1.0], [5.0, -5.0], [5.0, -6.0]])
def test_the_scores_form_refuses_a_denominator_that_is_not_positive(rejected: list[float]) -> None:
    with pytest.raises(HardnessError, match="preference p7: the rejected answer's scores sum to"):
        delta("p7", [20.0], rejected, "scores", "sum")
    assert -1 <= delta("p7", [20.0], rejected, "probabilities", "sum") <= 1


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_refused_with_their_id(wrong: float) -> None:
    for sides in (([wrong, 1.0], [1.0]), ([1.0], [1.0, wrong])):
        with pytest.raises(HardnessError, match="preference p9 has the score"):
            delta("p9", *sides, "probabilities", "sum")
    with pytest.raises(HardnessError, match="preference p9 has an answer without scores"):
        delta("p9", [], [1.0], "probabilities", "sum")
    with pytest.raises(HardnessError, match="preference p9 has hardness inf"):
        delta("p9", [1e308], [1e-308], "scores", "sum")


def test_no_preferences_have_no_mean() -> None:
    with pytest.raises(HardnessError, match="no preference"):
        mean_delta([])
