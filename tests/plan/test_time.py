"""Seconds of a step, by hand, and what stands beside the paper's hours."""

from __future__ import annotations

from dataclasses import replace

import pytest
from runs import case

from dama.model.flops import useful_flops
from dama.model.passes import Passes
from dama.plan.device import GPUS
from dama.plan.paper import beside, usual_run
from dama.plan.time import forward_run, learned_run, step_count, time

A100 = GPUS["a100-80"]
ONE, TWO = Passes(False, 4, True), Passes(True, 4, False)


def test_compute_is_operations_over_speed() -> None:
    ours = case("llava-7b")
    forward, again, once = (
        forward_run(ours),
        learned_run(ours, recompute=True),
        learned_run(ours, recompute=False),
    )
    assert again / forward == pytest.approx(4, rel=0.05)  # the tower has no backward
    assert once / forward == pytest.approx(3, rel=0.05)
    found = time(ours, A100, ONE, preferences=22_000, steps=10, efficiency=0.5)
    assert found.compute == pytest.approx(16 * again / (4 * 312e12 * 0.5))
    two = time(ours, A100, TWO, preferences=22_000, steps=10, efficiency=0.5)
    assert two.compute == pytest.approx((16 * forward + 12 * once) / (4 * 312e12 * 0.5))


def test_what_is_run_is_a_little_more_than_what_is_useful() -> None:
    ours = case("llava-7b")
    useful = useful_flops(ours.shape, ours.prompt, [100, 100], learned=False)
    # the tower's last layer and the squares that the dense mask hides
    assert 1.0 < forward_run(ours) / useful < 1.06


def test_zero_3_gathers_twice_and_scatters_once_a_micro_batch() -> None:
    found = time(case("llava-7b", method="dpo"), A100, ONE, preferences=1, steps=1)
    weights, trained = 2 * 7_063_427_072, 2 * 6_759_919_616
    assert found.communication == pytest.approx(0.75 * (2 * weights + trained) / (0.7 * 300e9))
    assert found.step == pytest.approx(max(found.compute, found.communication) + found.optimizer)


def test_between_machines_the_weights_take_over() -> None:
    near = case("llava-7b", "train.ranks=8", "train.per_device_batch=2")
    far = replace(near, nodes=2)
    times = [time(one, A100, ONE, preferences=1, steps=1) for one in (near, far)]
    assert times[1].communication == pytest.approx(times[0].communication * 0.7 * 300 / (0.7 * 25))
    assert times[1].step > times[0].step


def test_mfu_is_useful_operations_over_the_peak() -> None:
    ours = case("llava-7b", method="dpo")
    found = time(ours, A100, ONE, preferences=1, steps=1)
    useful = 16 * useful_flops(ours.shape, 640, [100, 100], learned=True)
    assert found.mfu == pytest.approx(useful / found.step / (4 * 312e12))
    assert found.preferences_per_second == pytest.approx(16 / found.step)


def test_hours_are_reference_and_steps() -> None:
    found = time(case("llava-7b"), A100, ONE, preferences=22_000, steps=5500)
    assert found.hours == pytest.approx((found.reference + 5500 * found.step) / 3600)
    forward = forward_run(case("llava-7b"))
    assert found.reference == pytest.approx(22_000 * forward / (4 * 312e12 * 0.5))


@pytest.mark.parametrize(
    ("changes", "more"),
    [({"weight": 4}, 10), ({"offload": True}, 1.5), ({"adapters": 10**8}, 0.95)],
    ids=["float32", "offload", "adapters"],
)
def test_what_costs_time_costs_time(changes: dict[str, object], more: float) -> None:
    plain = case("llava-7b", method="dpo")
    slow = replace(plain, **changes)  # type: ignore[arg-type]
    ratio = (
        time(slow, A100, ONE, preferences=1, steps=1).step
        / time(plain, A100, ONE, preferences=1, steps=1).step
    )
    assert ratio > more if more > 1 else ratio < more


def test_lower_stages_send_gradients_once() -> None:
    two, zero = (
        time(case("llava-7b", f"train.zero.stage={n}", method="dpo"), A100, ONE, preferences=1, steps=1)
        for n in (2, 0)
    )
    size = 0.75 * 2 * 6_759_919_616
    assert two.communication == pytest.approx(2 * size / (0.7 * 300e9))
    assert zero.communication == pytest.approx(2 * size / (0.7 * 300e9))


def test_steps_are_counted_as_the_trainer_counts_them() -> None:
    from dama.train.batches import Batches

    for count, epochs, most in ((50, 4.0, None), (22_000, 4.0, None), (16, 0.01, None), (50, 4.0, 7)):
        assert step_count(16, count, epochs, most) == Batches(count, 16, 0).steps(epochs, most)


def test_the_papers_way_takes_more_than_twice_the_operations() -> None:
    ours = case("llava-7b")
    paper = beside(ours, TWO)
    assert paper.operations == pytest.approx(
        16 * usual_run(ours) / (16 * forward_run(ours) + 12 * learned_run(ours, recompute=False))
    )
    assert 1.9 < paper.operations < 2.4
    assert 0.1 < paper.efficiency < 0.4
    assert beside(ours, ONE).operations < paper.operations
