"""The miniature world: scenes, a tiny CLIP, a tiny LLaVA and preferences, all made on the spot."""

from __future__ import annotations

from dama.spec.base import Part, PositiveFloat, PositiveInt, Seed


class WorldSpec(Part):
    """Sizes that were found to work on two CPU cores; see README, "The miniature world"."""

    seed: Seed = 0
    """Seed of everything in the world."""
    clip_steps: PositiveInt = 500
    """Training steps of the tiny CLIP."""
    llava_steps: PositiveInt = 400
    """Training steps of the tiny LLaVA."""
    captions: PositiveInt = 20_000
    """Scenes with biased captions that the tiny LLaVA learns from."""
    scenes: PositiveInt = 800
    """Scenes that preferences are sampled on."""
    samples: PositiveInt = 8
    """Captions sampled of each such scene."""
    temperature: PositiveFloat = 1.0
    """Sampling temperature."""
    held_out: PositiveInt = 1000
    """Scenes that only the benchmark sees."""
    splitter_steps: PositiveInt = 300
    """Training steps of the tiny language model that splits captions (`hardness.facts.model: tiny`)."""
