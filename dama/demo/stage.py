"""Stage `world`: the miniature world's models, preferences and held-out scenes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext


def _key(spec: RunSpec) -> Any:  # noqa: ANN401 - JSON
    return spec.world.model_dump(mode="json", exclude={"splitter_steps"}) if spec.world else None


def _run(context: StageContext) -> Mapping[str, Any]:
    from transformers.utils.logging import disable_progress_bar

    from dama.demo.threads import fixed_threads
    from dama.demo.world import make_world

    disable_progress_bar()

    world = context.spec.world
    if world is None:
        raise ValueError("stage 'world' was started for a run without a world")
    with fixed_threads():
        return make_world(world, context.out)


STAGE = Stage(
    name="world",
    version=1,
    reads=lambda spec: (),
    key=_key,
    run=_run,
    title="make the miniature world",
    wanted=lambda spec: spec.world is not None,
)
