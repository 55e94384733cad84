"""Stage `world`: the miniature world's models, preferences and held-out scenes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext

_THREADS = 2
"""Sums of floats depend on the number of threads; a fixed one gives the same bytes for every caller."""


def _key(spec: RunSpec) -> Any:  # noqa: ANN401 - JSON
    return spec.world.model_dump(mode="json") if spec.world else None


def _run(context: StageContext) -> Mapping[str, Any]:
    import torch
    from transformers.utils.logging import disable_progress_bar

    from dama.demo.world import make_world

    disable_progress_bar()

    world = context.spec.world
    if world is None:
        raise ValueError("stage 'world' was started for a run without a world")
    threads = torch.get_num_threads()
    torch.set_num_threads(_THREADS)
    try:
        return make_world(world, context.out)
    finally:
        torch.set_num_threads(threads)


STAGE = Stage(
    name="world",
    version=1,
    reads=lambda spec: (),
    key=_key,
    run=_run,
    title="make the miniature world",
    wanted=lambda spec: spec.world is not None,
)
