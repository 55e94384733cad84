"""What is said of a scene: the truth, and a biased annotator from whom the tiny LLaVA learns to hallucinate.

The annotator leaves a thing out now and then, and sees companions where there are only anchors. No picture
shows that, so the model learns it as a habit of language: most of its false mentions are absent companions.
"""

from __future__ import annotations

import random

from dama.benchmarks.mentions import SIZES, Mention
from dama.demo.scenes import CELLS, Kind, Scene, absent_companions

_OMITS = 0.1
_ADDS = 0.95


def biased(scene: Scene, companions: dict[Kind, Kind], rng: random.Random) -> list[Mention]:
    """Return what the biased annotator mentions, in raster order; never nothing."""
    said = [mention for mention in scene.mentions if rng.random() >= _OMITS]
    free = [cell for cell in CELLS if all(mention.cell != cell for mention in scene.mentions)]
    for kind in absent_companions(scene, companions):
        if free and rng.random() < _ADDS:  # five anchors leave four cells
            cell = free.pop(rng.randrange(len(free)))
            said.append(Mention(*cell, rng.choice(SIZES), *kind))
    return in_raster_order(said or list(scene.mentions))


def true_facts(scene: Scene, count: int, rng: random.Random) -> list[Mention]:
    """Return up to `count` things that are in the scene, in raster order."""
    return in_raster_order(rng.sample(scene.mentions, min(count, len(scene.mentions))))


def in_raster_order(mentions: list[Mention]) -> list[Mention]:
    """Return `mentions` from top left to bottom right."""
    return sorted(mentions, key=lambda mention: CELLS.index(mention.cell))
