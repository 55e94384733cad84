"""Which preferences each optimizer batch holds: a pure function of seed and step.

The order is one endless row of permutations, cut into batches of N; what is left at the end of a permutation
is dropped (another few each time). So every rank knows every batch, resuming needs no state, and the layout
of ranks and accumulation steps has no say in it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from dama.errors import TrainingError


class Batches:
    """Optimizer batches 0, 1, 2 ... of `batch` indices into a dataset of `count` preferences."""

    def __init__(self, count: int, batch: int, seed: int) -> None:
        if count < batch:
            raise TrainingError(
                f"{count} preferences for an optimizer batch of {batch}",
                wanted="at least one whole batch",
                do="lower train.batch or give more data",
            )
        self.count, self.batch, self.seed = count, batch, seed
        self.per_epoch = count // batch
        self._epoch = -1
        self._order: list[int] = []

    def steps(self, epochs: float, max_steps: int | None) -> int:
        """Return how many optimizer steps a run takes: `max_steps`, or whole batches in so many epochs."""
        return max_steps if max_steps is not None else max(1, int(epochs * self.per_epoch))

    def __getitem__(self, step: int) -> list[int]:
        """Return the dataset indices of optimizer batch `step`, counted from 0."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**63)
            self._order = torch.randperm(self.count, generator=generator).tolist()
            self._epoch = epoch
        return self._order[place * self.batch : (place + 1) * self.batch]


class RankShare:
    """A batch sampler: this rank's contiguous share of every optimizer batch of a run, in order."""

    def __init__(self, batches: Batches, steps: int, rank: int, world: int) -> None:
        self._batches, self._steps = batches, steps
        size = batches.batch // world
        self._slice = slice(rank * size, (rank + 1) * size)

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self._steps):
            yield self._batches[step][self._slice]
