"""How a benchmark's questions are cut into shards, which are answered one at a time."""

from __future__ import annotations

from itertools import pairwise

SHARD = 256
"""Questions of a shard at most: enough to fill a batch, few enough to lose to a kill."""


def cut(count: int, most: int = SHARD) -> list[range]:
    """Return `count` questions in as few shards of at most `most` as there can be, all about equally large.

    So a thousand come as four times 250, not as three times 256 and a rest that fills no batch.
    """
    shards = -(-count // most)
    edges = [count * shard // shards for shard in range(shards + 1)] if shards else [0]
    return [range(start, end) for start, end in pairwise(edges)]
