"""The biased annotator, counted over many scenes."""

from __future__ import annotations

import random
from itertools import islice

from dama.benchmarks.mentions import Mention, caption
from dama.demo.captions import biased, in_raster_order, true_facts
from dama.demo.scenes import CELLS, Scene, Thing, absent_companions, draw_companions, draw_scenes
from dama.demo.tokens import UNKNOWN, WORDS, llava_tokenizer

COMPANIONS = draw_companions(0)
SCENES = list(islice(draw_scenes(0, "train", COMPANIONS, set()), 3000))


def test_things_are_left_out_and_absent_companions_are_added() -> None:
    rng = random.Random(0)
    there = said = absent = added = 0
    for scene in SCENES:
        mentions = biased(scene, COMPANIONS, rng)
        true = [mention for mention in mentions if mention in scene.mentions]
        there, said = there + len(scene.mentions), said + len(true)
        missing = absent_companions(scene, COMPANIONS)
        absent, added = absent + len(missing), added + len(mentions) - len(true)
        assert {mention.kind for mention in mentions} - scene.kinds <= set(missing)
    assert 0.88 < said / there < 0.93  # 1 - 0.1, and no caption is empty
    assert 0.93 < added / absent < 0.97


def test_a_caption_goes_from_top_left_to_bottom_right_one_thing_a_cell() -> None:
    rng = random.Random(1)
    for scene in SCENES[:500]:
        cells = [CELLS.index(mention.cell) for mention in biased(scene, COMPANIONS, rng)]
        assert cells == sorted(set(cells))
        assert cells


def test_a_scene_full_of_anchors_has_room_for_four_companions() -> None:
    anchors = list(COMPANIONS)[:5]
    things = (Thing(Mention(*cell, "big", *kind), 0, 0) for cell, kind in zip(CELLS, anchors, strict=False))
    scene = Scene(tuple(things), (255, 255, 255))
    assert len(absent_companions(scene, COMPANIONS)) == 5
    said = [biased(scene, COMPANIONS, random.Random(seed)) for seed in range(50)]
    assert max(len({mention.kind for mention in mentions} - scene.kinds) for mentions in said) == 4


def test_true_facts_are_in_the_scene() -> None:
    rng = random.Random(2)
    for scene in SCENES[:500]:
        facts = true_facts(scene, 2, rng)
        assert len(facts) == min(2, len(scene.things))
        assert set(facts) <= set(scene.mentions)
        assert facts == in_raster_order(facts)


def test_every_word_of_every_caption_is_in_the_vocabulary() -> None:
    tokenizer = llava_tokenizer()
    unknown = WORDS.index(UNKNOWN)
    assert len(set(WORDS)) == len(WORDS)
    text = " ".join(caption(scene.mentions) for scene in SCENES)
    assert unknown not in tokenizer(text).input_ids
    assert unknown in tokenizer("a pink star").input_ids


def test_captions_survive_the_tokenizer() -> None:
    tokenizer = llava_tokenizer()
    scene: Scene = SCENES[0]
    text = caption(scene.mentions)
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert tokenizer.decode(ids) == text.lower()
