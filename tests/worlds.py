"""A miniature world made in seconds: models that learned next to nothing, preferences that are right."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import islice
from pathlib import Path

SCENES = 12
HELD_OUT = 12


def small_world(folder: Path) -> Path:
    """Fill `folder` with clip/, llava/, preferences.parquet (48 rows) and benchmark.parquet (12 scenes)."""
    import torch

    from dama.benchmarks.mentions import caption
    from dama.demo.preferences import Choice, write_preferences
    from dama.demo.scenes import KINDS, Scene, draw_companions, draw_scenes
    from dama.demo.world import make_world
    from dama.spec.world import WorldSpec

    spec = WorldSpec(
        seed=0, clip_steps=2, llava_steps=2, captions=64, scenes=SCENES, samples=4, held_out=HELD_OUT
    )
    folder.mkdir(parents=True, exist_ok=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so little work is only slowed down by sharing it
    make_world(spec, folder)
    torch.set_num_threads(threads)

    # Three steps teach nobody to speak, so answers are the truth, and the truth with one kind wrong.
    rng = random.Random(0)
    seen: set[Scene] = set()
    scenes = list(islice(draw_scenes(1, "small", draw_companions(1), seen), 24))
    choices = []
    for number, scene in enumerate(scenes):
        for _ in range(2):
            wrong = list(scene.mentions)
            place = rng.randrange(len(wrong))
            colour, shape = rng.choice([kind for kind in KINDS if kind not in scene.kinds])
            wrong[place] = replace(wrong[place], colour=colour, shape=shape)
            choices.append(Choice(number, caption(scene.mentions), caption(wrong)))
    write_preferences(folder / "preferences.parquet", scenes, choices)
    return folder
