"""Stage `splitter`: the miniature world's own language model, which splits its captions into facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext
from dama.stages.splitters import WORLD, asks_world


def _key(spec: RunSpec) -> Any:  # noqa: ANN401 - JSON
    return spec.world.model_dump(mode="json", include={"seed", "splitter_steps"}) if spec.world else None


def _run(context: StageContext) -> Mapping[str, Any]:
    from transformers.utils.logging import disable_progress_bar

    from dama.demo.splitting import train_splitter
    from dama.demo.threads import fixed_threads
    from dama.demo.tiny_splitter import save_splitter
    from dama.stages.progress import progress

    disable_progress_bar()

    world = context.spec.world
    if world is None:
        raise ValueError("stage 'splitter' was started for a run without a world")
    steps = world.splitter_steps
    with fixed_threads(), progress("tiny splitter", steps) as advance:
        model, tokenizer, loss = train_splitter(steps=steps, seed=world.seed, advance=advance)
    save_splitter(model, tokenizer, context.out / "model")
    return {"weights": model.num_parameters(), "vocabulary": len(tokenizer), "loss": loss}


STAGE = Stage(
    name=WORLD,
    version=1,
    reads=lambda spec: (),
    key=_key,
    run=_run,
    title="train the miniature world's splitter",
    wanted=lambda spec: asks_world(spec) and spec.world is not None,
)
