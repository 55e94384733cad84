"""The cut of a dataset into shards: every preference once, bounded, images whole, the same for everyone."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dama.data.parquet import write_rows
from dama.data.shards import SIZE, cut
from dama.data.table import PREFERENCE_SCHEMA, PREFERENCES, PreferenceTable

IMAGES = st.lists(st.sampled_from("abcdefgh"), max_size=80)
SIZES = st.integers(1, 12)


@given(IMAGES, SIZES)
@example([], 4)
@example(["a"] * 9, 4)
def test_every_preference_is_in_one_shard_and_shards_are_bounded(images: list[str], size: int) -> None:
    shards = cut(images, size)
    assert sorted(index for shard in shards for index in shard) == list(range(len(images)))
    assert all(0 < len(shard) <= size for shard in shards)
    assert all(list(shard) == sorted(shard) for shard in shards)
    assert all(len(one) + len(next_one) > size for one, next_one in pairwise(shards))


@given(IMAGES, SIZES)
def test_an_image_is_in_one_shard_unless_it_fills_one(images: list[str], size: int) -> None:
    homes = Counter(image for shard in cut(images, size) for image in {images[index] for index in shard})
    for image, count in Counter(images).items():
        assert homes[image] == (1 if count <= size else -(-count // size))


@given(IMAGES, SIZES)
def test_only_the_pattern_of_images_counts_not_their_names(images: list[str], size: int) -> None:
    assert cut(images, size) == cut([f"{image}-renamed" for image in images], size)


def test_a_cut_by_hand() -> None:
    # a: 0, 2; b: 1; c: 3, 4, 5, 6, 7 (more than four: four alone, one begins the next); d: 8
    assert [list(shard) for shard in cut("abaccccc" + "d", 4)] == [[0, 1, 2], [3, 4, 5, 6], [7, 8]]
    assert [len(shard) for shard in cut(f"{n // 4}" for n in range(2000))] == [512, 512, 512, 464]
    assert SIZE == 512


@pytest.fixture
def table(tmp_path: Path) -> PreferenceTable:
    rows = (
        {"id": f"p{n}", "image": f"{n % 3}", "prompt": "?", "chosen": f"c{n}", "rejected": "r", "source": ""}
        for n in range(1300)
    )
    write_rows(tmp_path / PREFERENCES, PREFERENCE_SCHEMA, rows)
    return PreferenceTable(tmp_path)


def test_a_table_gives_the_preferences_of_its_shards(table: PreferenceTable) -> None:
    shards = table.shards()
    assert [len(shard) for shard in shards] == [434, 433, 433]
    assert [one.id for one in table.take(shards[1])] == [f"p{n}" for n in range(1, 1300, 3)]
    assert table.take([7, 2])[0] == table[7]
    assert table.take([]) == []
