"""What is measured before and after."""

from __future__ import annotations

from typing import Literal

from dama.spec.base import Part, PositiveInt


class MiniatureBenchmark(Part):
    """Captions of held-out scenes of the miniature world, judged by the known truth."""

    kind: Literal["miniature"] = "miniature"
    """Says that this is the miniature world's benchmark."""
    scenes: PositiveInt = 1000
    """Held-out scenes that are captioned."""


BenchmarkSpec = MiniatureBenchmark


class EvaluateSpec(Part):
    """Answers are generated greedily and scored by each benchmark."""

    benchmarks: tuple[BenchmarkSpec, ...] = ()
    """What is asked; empty means that nothing is measured."""
    max_new_tokens: PositiveInt = 512
    """An answer ends there at the latest."""
    batch: PositiveInt = 16
    """Questions answered at a time."""
