"""Optimizer batches: a pure function of seed and step, whatever the layout."""

import pytest

from dama.errors import TrainingError
from dama.train.batches import Batches, RankShare


def test_an_epoch_holds_every_preference_at_most_once() -> None:
    batches = Batches(count=50, batch=16, seed=0)
    seen = [index for step in range(batches.per_epoch) for index in batches[step]]
    assert len(seen) == len(set(seen)) == 48


def test_epochs_differ_and_seeds_differ() -> None:
    batches = Batches(32, 16, seed=0)
    assert batches[0] != batches[2]
    assert batches[0] != Batches(32, 16, seed=1)[0]


def test_a_batch_does_not_depend_on_what_was_asked_before() -> None:
    one, other = Batches(64, 16, seed=3), Batches(64, 16, seed=3)
    forwards = [one[step] for step in range(10)]
    backwards = [other[step] for step in reversed(range(10))]
    assert forwards == backwards[::-1]


@pytest.mark.parametrize("world", [1, 2, 4, 8, 16])
def test_the_ranks_shares_make_the_batch_in_order(world: int) -> None:
    batches = Batches(64, 16, seed=0)
    shares = [list(RankShare(batches, 5, rank, world)) for rank in range(world)]
    for step in range(5):
        assert [index for share in shares for index in share[step]] == batches[step]


def test_steps_follow_epochs_unless_given() -> None:
    batches = Batches(50, 16, seed=0)
    assert batches.steps(4.0, None) == 12
    assert batches.steps(4.0, 7) == 7
    assert batches.steps(0.01, None) == 1


def test_less_than_one_batch_is_refused() -> None:
    with pytest.raises(TrainingError, match="15 preferences for an optimizer batch of 16"):
        Batches(15, 16, seed=0)
