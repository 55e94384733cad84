"""Scenes of coloured shapes on a 3 × 3 grid, with the co-occurrence that a language prior will learn from.

Six of the 36 kinds (colour, shape) are anchors, drawn four times as often as the others. Every anchor has one
companion kind that follows it into the scene half of the time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from dama.benchmarks.mentions import COLOURS, COLUMNS, ROWS, SHAPES, SIZES, Mention

Kind = tuple[str, str]
KINDS: tuple[Kind, ...] = tuple(product(COLOURS, SHAPES))
CELLS: tuple[tuple[str, str], ...] = tuple(product(ROWS, COLUMNS))

_ANCHORS = 6
_ANCHOR_WEIGHT = 4
_FOLLOWS = 0.5
_COUNTS, _COUNT_WEIGHTS = (1, 2, 3, 4, 5), (1, 2, 3, 2, 1)
_JITTER = 1
_PALEST, _DARKEST = 255, 205


@dataclass(frozen=True, slots=True)
class Thing:
    """A mention that is true, and by how many pixels it is off the middle of its cell."""

    mention: Mention
    dx: int
    dy: int


@dataclass(frozen=True, slots=True)
class Scene:
    """Things in raster order on a tinted background (red, green, blue in 0-255)."""

    things: tuple[Thing, ...]
    background: tuple[int, int, int]

    @property
    def mentions(self) -> tuple[Mention, ...]:
        """What is true of the scene."""
        return tuple(thing.mention for thing in self.things)

    @property
    def kinds(self) -> frozenset[Kind]:
        """Every (colour, shape) in the scene; no kind is there twice."""
        return frozenset(thing.mention.kind for thing in self.things)


def draw_companions(seed: int) -> dict[Kind, Kind]:
    """Return the companion of every anchor; anchors and companions are twelve different kinds."""
    chosen = random.Random(f"companions/{seed}").sample(KINDS, 2 * _ANCHORS)
    return dict(zip(chosen[:_ANCHORS], chosen[_ANCHORS:], strict=True))


def draw_scenes(seed: int, split: str, companions: dict[Kind, Kind], seen: set[Scene]) -> Iterator[Scene]:
    """Yield scenes without end, none of which is in `seen`; each goes into `seen`.

    The same `seed`, `split` and `seen` give the same scenes.
    """
    rng = random.Random(f"scenes/{split}/{seed}")
    while True:
        scene = _draw(rng, companions)
        if scene not in seen:
            seen.add(scene)
            yield scene


def absent_companions(scene: Scene, companions: dict[Kind, Kind]) -> tuple[Kind, ...]:
    """Return the companions that are missing beside the scene's anchors, in raster order of the anchors."""
    kinds = [thing.mention.kind for thing in scene.things]
    return tuple(companions[kind] for kind in kinds if kind in companions and companions[kind] not in kinds)


def _draw(rng: random.Random, companions: dict[Kind, Kind]) -> Scene:
    count = rng.choices(_COUNTS, _COUNT_WEIGHTS)[0]
    weights = [_ANCHOR_WEIGHT if kind in companions else 1 for kind in KINDS]
    kinds: list[Kind] = []
    while len(kinds) < count:
        kind = rng.choices(KINDS, weights)[0]
        if kind in kinds:
            continue
        kinds.append(kind)
        follower = companions.get(kind)
        if follower and follower not in kinds and len(kinds) < count and rng.random() < _FOLLOWS:
            kinds.append(follower)
    cells = sorted(rng.sample(range(len(CELLS)), count))
    rng.shuffle(kinds)
    things = tuple(
        Thing(
            Mention(*CELLS[cell], rng.choice(SIZES), *kind),
            rng.randint(-_JITTER, _JITTER),
            rng.randint(-_JITTER, _JITTER),
        )
        for cell, kind in zip(cells, kinds, strict=True)
    )
    red, green, blue = (rng.randint(_DARKEST, _PALEST) for _ in range(3))
    return Scene(things, (red, green, blue))
