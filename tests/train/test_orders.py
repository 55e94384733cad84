"""When a training saves and stops, by a clock of the test's own."""

from typing import Any

import pytest

from dama.spec.train import TrainSpec
from dama.train.orders import Order, Orders, Unstopped


class Asked(Unstopped):
    asked = True


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.minutes = 0.0

    def __call__(self) -> float:
        return 60 * self.minutes


def _orders(clock: Clock, stop: Unstopped | None = None, **train: Any) -> Orders:
    stop = stop or Unstopped()
    stop.started = 0.0
    spec = TrainSpec.model_validate({"batch": 16, "save_every_steps": 100, **train})
    return Orders(spec, steps=20, stop=stop, clock=clock)


def test_steps_and_the_last_step_are_saved() -> None:
    orders = _orders(Clock(), save_every_steps=8)
    assert [step for step in range(1, 21) if orders.after(step).save] == [8, 16, 20]


def test_minutes_are_counted_from_the_last_checkpoint_whatever_made_it() -> None:
    clock = Clock()
    orders = _orders(clock, save_every_steps=5, save_every_minutes=3)
    saved = []
    for step in range(1, 13):
        clock.minutes += 1
        if orders.after(step).save:
            saved.append(step)
    assert saved == [3, 5, 8, 10]  # 3 minutes; 5 steps; 3 minutes; 5 steps (and the next would be 13)


def test_no_minutes_given_none_counted() -> None:
    clock = Clock()
    orders = _orders(clock)
    clock.minutes = 1e9
    assert orders.after(1) == Order(save=False)


def test_the_limit_saves_and_stops() -> None:
    clock = Clock()
    orders = _orders(clock, limit_minutes=2.5)
    clock.minutes = 2
    assert orders.after(1) == Order(save=False)
    clock.minutes = 3
    assert orders.after(2) == Order(save=True, stop="train.limit_minutes 2.5 is over")


def test_a_wish_to_stop_saves_and_stops() -> None:
    assert _orders(Clock(), Asked()).after(3) == Order(save=True, stop="asked to stop")


@pytest.mark.parametrize("stop", [Unstopped(), Asked()])
def test_after_the_last_step_there_is_nothing_to_stop(stop: Unstopped) -> None:
    clock = Clock()
    orders = _orders(clock, stop, limit_minutes=1)
    clock.minutes = 5
    assert orders.after(20) == Order(save=True)
