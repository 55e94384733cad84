"""One pass or two: the cheaper, as counted by hand, and never one that could not be exact."""

from typing import Any

import pytest

from dama.errors import TrainingError
from dama.loss.dama import Method
from dama.model.passes import Passes, Room, choose_passes, describe, needs_room
from dama.spec.train import TrainSpec
from dama.train.run import work_of

PLENTY, TIGHT, NONE = Room(1000, 10), Room(35, 10), Room(9, 10)
DAMA, DPO = Method(keep=12), Method(model_aware=False, data_aware=False)


def _train(**settings: Any) -> TrainSpec:
    return TrainSpec.model_validate({"batch": 16, "ranks": 4, "per_device_batch": 4, **settings})


def _choice(passes: Passes) -> tuple[bool, int, bool]:
    return passes.two, passes.micro_batch, passes.recompute


@pytest.mark.parametrize(
    ("settings", "method", "room", "wanted", "price"),
    [
        # recomputing both: 16 + 12·4 = 64 against 16·4 = 64, and one is as good
        ({}, DAMA, NONE, (False, 4, True), "64 forwards a batch in two passes, 64 in one"),
        # a micro-batch fits without recomputing: 16 + 12·3 = 52 against 64
        ({}, DAMA, PLENTY, (True, 4, False), "52 forwards a batch in two passes, 64 in one"),
        ({}, DAMA, TIGHT, (True, 3, False), "52 forwards a batch in two passes, 64 in one"),
        # nobody recomputes: 52 against 16·3 = 48
        ({"gradient_checkpointing": False}, DAMA, None, (False, 4, False), "52 forwards a batch in two"),
        # fewer kept: 16 + 8·3 = 40 against 48
        ({"gradient_checkpointing": False}, Method(keep=8), None, (True, 4, False), "40 forwards a batch"),
        # all kept: 16 + 16·3 = 64 against 64
        ({}, Method(filter="none"), PLENTY, (False, 4, True), "64 forwards a batch in two passes, 64 in one"),
        ({}, DPO, None, (False, 4, True), "no preference's loss waits"),
        ({"per_device_batch": 1, "accumulation": 4}, DPO, None, (False, 1, True), "no preference's loss"),
        ({"per_device_batch": 1, "accumulation": 4}, DAMA, PLENTY, (True, 1, False), "in micro-batches"),
        ({"passes": "one"}, DAMA, None, (False, 4, True), "train.passes says so"),
        ({"passes": "two"}, DPO, None, (True, 4, True), "train.passes says so"),
    ],
)
def test_the_cheaper_way_is_taken(
    settings: dict[str, Any], method: Method, room: Room | None, wanted: tuple[bool, int, bool], price: str
) -> None:
    train = _train(**settings)
    passes = choose_passes(work_of(train, method), room)
    assert _choice(passes) == wanted
    assert price in describe(passes)


def test_memory_is_only_measured_where_the_choice_depends_on_it() -> None:
    assert needs_room(work_of(_train(), DAMA))
    assert not needs_room(work_of(_train(), DPO))
    assert not needs_room(work_of(_train(passes="one"), DAMA))
    assert not needs_room(work_of(_train(gradient_checkpointing=False), DAMA))


def test_one_pass_that_could_not_be_exact_is_refused() -> None:
    with pytest.raises(TrainingError, match="comes in 4 micro-batches"):
        choose_passes(work_of(_train(passes="one", per_device_batch=1, accumulation=4), DAMA))


def test_a_choice_survives_a_checkpoint() -> None:
    passes = choose_passes(work_of(_train(), DAMA), PLENTY)
    assert Passes.from_json(passes.to_json()) == passes
