"""The cut of a dataset into shards: about 512 preferences each, an image's preferences in one shard.

So every image is encoded once, whichever process a shard falls to. The cut depends on nothing but the images
of the preferences, in order: every process finds the same one for itself.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

SIZE = 512
"""Most preferences of a shard. Another size is another cut: raise the versions of the stages in shards."""


def cut(images: Iterable[str], size: int = SIZE) -> list[Sequence[int]]:
    """Return the shards of preferences with these images, each as indices in growing order.

    Images are taken in the order they first come; a shard is closed when the next image's preferences do not
    fit. An image with more than `size` preferences fills shards of its own, and what is left begins the next.
    So no shard is empty or larger than `size`, and any two neighbours hold more than `size` together.
    """
    groups: dict[str, array[int]] = {}
    for index, image in enumerate(images):
        groups.setdefault(image, array("q")).append(index)
    shards: list[array[int]] = []
    open_shard = array("q")
    for group in groups.values():
        for start in range(0, len(group), size):
            piece = group[start : start + size]
            if len(open_shard) + len(piece) > size:
                shards.append(open_shard)
                open_shard = array("q")
            open_shard.extend(piece)
    if open_shard:
        shards.append(open_shard)
    return [array("q", sorted(shard)) for shard in shards]
