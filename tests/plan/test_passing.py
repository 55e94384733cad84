"""The plan takes as many passes as the trainer will."""

from __future__ import annotations

from itertools import product

import pytest
from runs import case, run

from dama.model.passes import ROOM_SHARE, Room, choose_passes, needs_room
from dama.plan.activations import logits_kept, saved
from dama.plan.passes import passing
from dama.train.run import method_of, work_of


@pytest.mark.parametrize("method", ["dpo", "d2po", "mdpo", "dama"])
@pytest.mark.parametrize("asked", ["one", "two", "auto"])
def test_the_same_choice_at_any_memory(method: str, asked: str) -> None:
    for recompute, accumulation, keep, free in product(
        ("true", "false"), (1, 2), (8, 12, 16), (2**30, 12 * 2**30, 40 * 2**30, 200 * 2**30)
    ):
        if asked == "one" and accumulation > 1 and method in ("mdpo", "dama"):
            continue  # refused by the run file's rules
        overrides = [
            f"train.passes={asked}",
            f"train.gradient_checkpointing={recompute}",
            f"train.accumulation={accumulation}",
            f"train.per_device_batch={4 // accumulation}",
        ]
        if method in ("mdpo", "dama"):
            overrides.append(f"method.keep={keep}")
        spec, ours = run("llava-7b", *overrides, method=method), case("llava-7b", *overrides, method=method)
        work = work_of(spec.train, method_of(spec.method))
        preference = saved(ours, 1, recompute=False) + logits_kept(ours, 1)
        room = Room(int(ROOM_SHARE * free), preference) if needs_room(work) else None
        theirs = choose_passes(work, room)
        found = passing(ours, free)
        assert (found.two, found.micro_batch, found.recompute) == (
            theirs.two,
            theirs.micro_batch,
            theirs.recompute,
        )
