"""How many passes a rank will take over its share: the trainer's own choice, on predicted memory."""

from __future__ import annotations

from dama.model.passes import ROOM_SHARE, Passes, Room, Work, choose_passes, needs_room
from dama.plan.activations import logits_kept, saved
from dama.plan.case import Case


def passing(case: Case, free: int) -> Passes:
    """Return the way that the trainer will take when `free` bytes are free before the first step."""
    work = Work(
        asked=case.passes,
        batch=case.batch,
        kept=case.kept,
        per_device=case.per_device,
        accumulation=case.accumulation,
        recompute=case.recompute,
        separable=case.separable,
    )
    if not needs_room(work):
        return choose_passes(work)
    preference = saved(case, 1, recompute=False) + logits_kept(case, 1)
    return choose_passes(work, Room(int(ROOM_SHARE * free), preference))
