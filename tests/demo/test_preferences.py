"""Preferences among sampled captions, worked by hand."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

from dama.benchmarks.judgement import judge
from dama.benchmarks.mentions import Mention, caption
from dama.demo.painting import png
from dama.demo.preferences import Choice, choose, natural, write_preferences
from dama.demo.scenes import Scene, Thing, draw_companions, draw_scenes

RING = Mention("top", "left", "big", "black", "ring")
STAR = Mention("middle", "right", "small", "red", "star")
FALSE = Mention("bottom", "left", "small", "blue", "cross")
SCENE = Scene((Thing(RING, 0, 0), Thing(STAR, 1, -1)), (240, 240, 240))


def test_chosen_has_fewer_false_mentions_and_covers_no_less() -> None:
    both, one = caption([RING, STAR]), caption([RING])
    worse = caption([RING, STAR, FALSE])
    assert choose([SCENE], [[both, worse]], 0) == [Choice(0, both, worse)]
    # a true caption that leaves a thing out is not preferred to one that covers it
    assert choose([SCENE], [[one, worse]], 0) == []
    assert choose([SCENE], [[both, one, both]], 0) == []


def test_chosen_never_repeats_itself() -> None:
    stutter, worse = caption([RING, STAR, STAR]), caption([RING, STAR, FALSE])
    assert choose([SCENE], [[stutter, worse]], 0) == []
    fluent, repeated = caption([RING, STAR]), caption([STAR, FALSE, FALSE])
    assert choose([SCENE], [[stutter, repeated]], 0) == []
    assert choose([SCENE], [[fluent, repeated]], 0) == [Choice(0, fluent, repeated)]


def test_nothing_empty_is_chosen_or_rejected() -> None:
    assert choose([SCENE], [["", caption([FALSE])]], 0) == []


def test_a_caption_is_used_once_a_scene() -> None:
    said = [caption([RING, STAR]), caption([STAR, FALSE]), caption([RING]), caption([FALSE])]
    choices = choose([SCENE], [said], 0)
    assert len(choices) == 2
    texts = [text for choice in choices for text in (choice.chosen, choice.rejected)]
    assert len(set(texts)) == 4


def test_the_number_of_mentions_stays_in_balance() -> None:
    longer = [caption([RING, STAR]), caption([RING, STAR, FALSE])]
    assert len(choose([SCENE] * 10, [longer] * 10, 0)) == 3  # rejected is always one longer: then it stops
    shorter = [caption([RING, STAR]), caption([FALSE])]
    mixed = choose([SCENE] * 20, [longer, shorter] * 10, 0)
    tilt = sum(
        judge(choice.chosen, SCENE.mentions).mentions - judge(choice.rejected, SCENE.mentions).mentions
        for choice in mixed
    )
    assert len(mixed) == 20
    assert tilt == 0


def test_natural_text_starts_its_sentences_with_capitals() -> None:
    text = "a big black ring at the top left. a small red star at the middle right."
    assert natural(text) == caption([RING, STAR])
    assert natural("  a. a.b  ") == "A. A.b"
    assert natural("") == ""


def test_preferences_are_written_in_the_columns_of_rlaif_v(tmp_path: Path) -> None:
    scenes = list(islice(draw_scenes(0, "preferences", draw_companions(0), set()), 3))
    write_preferences(tmp_path / "p.parquet", scenes, [Choice(2, "A.", "B."), Choice(2, "A.", "C.")])
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.column_names == [
        "ds_name",
        "image",
        "question",
        "chosen",
        "rejected",
        "origin_dataset",
        "origin_split",
        "idx",
        "image_path",
    ]
    first, second = table.to_pylist()
    assert first["image"] == {"bytes": png(scenes[2]), "path": "scene-00002.png"} == second["image"]
    assert (first["chosen"], first["rejected"], second["rejected"]) == ("A.", "B.", "C.")
    assert (first["idx"], second["idx"]) == (0, 1)
    assert first["question"] == "Describe the image."
    assert json.loads(first["origin_split"]) == {"split": "preferences", "scene": 2}
