"""How questions are cut into shards."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dama.evaluate.cut import SHARD, cut


@given(st.integers(0, 20_000), st.integers(1, 600))
def test_every_question_is_in_one_shard_in_order_and_shards_are_equally_large(count: int, most: int) -> None:
    shards = cut(count, most)
    assert [question for shard in shards for question in shard] == list(range(count))
    sizes = {len(shard) for shard in shards}
    assert len(shards) == -(-count // most)
    assert max(sizes, default=1) <= most
    assert max(sizes, default=0) - min(sizes, default=0) <= 1


def test_a_thousand_are_four_times_250() -> None:
    assert SHARD == 256
    assert [len(shard) for shard in cut(1000)] == [250] * 4
