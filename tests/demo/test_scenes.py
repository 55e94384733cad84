"""Scenes: what is drawn, how often, and that no two splits share one."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from dama.benchmarks.mentions import Mention
from dama.demo.painting import CELL_PIXELS, PIXELS, paint, png
from dama.demo.scenes import CELLS, KINDS, Scene, Thing, absent_companions, draw_companions, draw_scenes

COMPANIONS = draw_companions(0)


def scenes(count: int, split: str = "train", seen: set[Scene] | None = None, seed: int = 0) -> list[Scene]:
    return list(islice(draw_scenes(seed, split, COMPANIONS, set() if seen is None else seen), count))


def test_there_are_six_anchors_and_six_other_companions() -> None:
    assert len(KINDS) == 36
    assert len({*COMPANIONS, *COMPANIONS.values()}) == 12
    assert draw_companions(0) == COMPANIONS != draw_companions(1)


def test_a_scene_has_one_to_five_kinds_each_in_its_own_cell() -> None:
    counts = Counter[int]()
    for scene in scenes(2000):
        cells = [mention.cell for mention in scene.mentions]
        assert cells == sorted(set(cells), key=CELLS.index)
        assert len(scene.kinds) == len(scene.things)
        counts[len(scene.things)] += 1
    assert counts.keys() == {1, 2, 3, 4, 5}
    assert abs(counts[3] / 2000 - 1 / 3) < 0.05


def test_anchors_are_frequent_and_companions_follow_them() -> None:
    drawn = scenes(4000)
    anchored = [scene for scene in drawn if any(kind in COMPANIONS for kind in scene.kinds)]
    followed = [scene for scene in anchored if not absent_companions(scene, COMPANIONS)]
    other = Counter(kind for scene in drawn for kind in scene.kinds)
    anchor_rate = sum(other[kind] for kind in COMPANIONS) / 6
    plain = [kind for kind in KINDS if kind not in COMPANIONS and kind not in COMPANIONS.values()]
    assert anchor_rate > 2.5 * sum(other[kind] for kind in plain) / len(plain)
    assert 0.2 < len(followed) / len(anchored) < 0.6


def test_the_same_seed_draws_the_same_scenes() -> None:
    assert scenes(50) == scenes(50)
    assert scenes(50) != scenes(50, seed=1)
    assert scenes(50) != scenes(50, "held-out")


def test_no_scene_is_drawn_twice_whatever_the_split() -> None:
    seen: set[Scene] = set()
    first = scenes(1500, "train", seen)
    # the same generator again: every scene it would repeat is passed over
    again = scenes(1500, "train", seen)
    assert not {png(scene) for scene in first} & {png(scene) for scene in again}
    assert len(seen) == 3000


def test_absent_companions_are_those_of_visible_anchors() -> None:
    (anchor, companion), (other, second) = list(COMPANIONS.items())[:2]
    both = Scene(
        (
            Thing(Mention("top", "left", "big", *anchor), 0, 0),
            Thing(Mention("middle", "left", "big", *companion), 0, 0),
            Thing(Mention("bottom", "left", "big", *other), 0, 0),
        ),
        (255, 255, 255),
    )
    assert absent_companions(both, COMPANIONS) == (second,)


def test_every_thing_is_painted_inside_its_own_cell() -> None:
    for scene in scenes(200):
        picture = paint(scene)
        assert picture.size == (PIXELS, PIXELS)
        painted = set()
        for x in range(PIXELS):
            for y in range(PIXELS):
                if picture.getpixel((x, y)) != scene.background:
                    painted.add(CELLS[3 * (y // CELL_PIXELS) + x // CELL_PIXELS])
        assert painted == {mention.cell for mention in scene.mentions}


def test_different_things_look_different() -> None:
    looks = {
        png(Scene((Thing(Mention("top", "left", size, *kind), 0, 0),), (230, 230, 230)))
        for kind in KINDS
        for size in ("small", "big")
    }
    assert len(looks) == 72
