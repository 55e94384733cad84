"""Which preferences are kept."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dama.loss.filter import draw_near, keep_highest, keep_lowest, keep_nearest, keep_random

REWARDS = torch.tensor([0.0, 5.0, -4.0, 1.0, 2.0, 9.0])


def _kept(mask: torch.Tensor) -> list[int]:
    return mask.nonzero().flatten().tolist()


def test_nearest_keeps_the_smallest_distances_to_the_mean() -> None:
    # distances to 1: 1, 4, 5, 0, 1, 8
    assert _kept(keep_nearest(REWARDS, 1.0, 3)) == [0, 3, 4]


def test_ties_go_to_the_earlier_preference() -> None:
    assert _kept(keep_nearest(torch.tensor([1.0, -1.0, 1.0, -1.0]), 0.0, 2)) == [0, 1]


def test_bottom_drops_the_lowest_and_top_the_highest() -> None:
    assert _kept(keep_highest(REWARDS, 4)) == [1, 3, 4, 5]
    assert _kept(keep_lowest(REWARDS, 4)) == [0, 2, 3, 4]


@given(
    st.lists(st.floats(-50, 50, width=32), min_size=2, max_size=20, unique=True),
    st.floats(0.01, 20) | st.floats(-20, -0.01),
    st.data(),
)
def test_undivided_ranking_keeps_what_any_division_by_the_mean_would(
    rewards: list[float], mean: float, data: st.DataObject
) -> None:
    """Eqs 9-10: ((R_i − R̄)/R̄)² orders as (R_i − R̄)² does, whatever R̄ ≠ 0 is."""
    keep = data.draw(st.integers(1, len(rewards)))
    reward = torch.tensor(rewards, dtype=torch.float64)
    distance = ((reward - mean) / mean).square()
    kept = keep_nearest(reward, mean, keep)
    assert int(kept.sum()) == keep
    dropped = distance[~kept]
    if len(dropped):
        assert float(distance[kept].max()) <= float(dropped.min()) * (1 + 1e-12)


def test_random_control_keeps_each_as_often() -> None:
    generator = torch.Generator().manual_seed(0)
    counts = sum(keep_random(16, 12, generator).int() for _ in range(4000))
    assert isinstance(counts, torch.Tensor)
    # 3000 expected, binomial s.d. 27
    assert counts.min() > 2860
    assert counts.max() < 3140


def test_draw_follows_its_weights() -> None:
    """One of two, weights exp(−½·1) and exp(−½·4): the nearer is drawn with 1/(1+e^−1.5) = .8176."""
    generator = torch.Generator().manual_seed(1)
    near = sum(bool(draw_near(torch.tensor([1.0, 2.0]), 0.0, 1, generator)[0]) for _ in range(4000))
    assert abs(near / 4000 - 0.8176) < 0.025  # four standard deviations


def test_draw_is_exact_where_float32_weights_underflow() -> None:
    """At 20 and 40 nats from the mean both weights are 0 in float32; the draw still follows them."""
    generator = torch.Generator().manual_seed(2)
    for _ in range(50):
        assert _kept(draw_near(torch.tensor([40.0, 20.0, 60.0]), 0.0, 2, generator)) == [0, 1]


@pytest.mark.parametrize("keep", [1, 8, 12, 16])
def test_draw_keeps_exactly_k_different_ones(keep: int) -> None:
    mask = draw_near(torch.linspace(-100, 100, 16), 3.0, keep, torch.Generator().manual_seed(0))
    assert int(mask.sum()) == keep
