"""The miniature world from nothing: scenes, a tiny CLIP, a tiny LLaVA, preferences, held-out scenes.

    scenes ─▶ clip/ ─▶ llava/ ─▶ preferences.parquet
       └───────────────────────▶ benchmark.parquet

No scene is in two of training, preferences and benchmark.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import torch

from dama.demo.captioning import look, sample, train_captions
from dama.demo.held_out import write_held_out
from dama.demo.painting import pixels
from dama.demo.preferences import choose, natural, write_preferences
from dama.demo.scenes import Kind, Scene, draw_companions, draw_scenes
from dama.demo.tiny_clip import save_clip, train_clip
from dama.demo.tiny_llava import new_llava, save_llava
from dama.errors import TrainingError
from dama.spec.world import WorldSpec
from dama.stages.progress import progress

_SAMPLED_AT_ONCE = 400
_MOST_TOKENS = 80
"""Of a sampled caption; the longest that the annotator writes has 75."""


def make_world(spec: WorldSpec, folder: Path) -> dict[str, Any]:
    """Fill `folder`; return the world's counts. Same spec and machine, same bytes.

    Raises TrainingError when the tiny LLaVA's captions give no preference.
    """
    companions = draw_companions(spec.seed)
    seen: set[Scene] = set()
    held_out, asked, trained = (
        list(islice(draw_scenes(spec.seed, split, companions, seen), count))
        for split, count in (
            ("held-out", spec.held_out),
            ("preferences", spec.scenes),
            ("train", spec.captions),
        )
    )
    write_held_out(folder / "benchmark.parquet", held_out, companions)
    llava = _train(spec, trained, companions, folder)
    choices = choose(asked, _captions(spec, llava, asked), spec.seed)
    if not choices:
        raise TrainingError(
            f"{spec.samples} captions of each of {spec.scenes} scenes gave no preference",
            do="raise world.llava_steps, world.scenes or world.samples",
        )
    write_preferences(folder / "preferences.parquet", asked, choices)
    return {
        "preferences": len(choices),
        "held_out": len(held_out),
        "companions": {" ".join(anchor): " ".join(other) for anchor, other in companions.items()},
    }


def _train(spec: WorldSpec, scenes: list[Scene], companions: dict[Kind, Kind], folder: Path) -> Any:  # noqa: ANN401
    """Train and save the tiny CLIP, then the tiny LLaVA on top of it; return the latter."""
    pictures = pixels(scenes)
    with progress("tiny CLIP", spec.clip_steps) as advance:
        clip = train_clip(scenes, pictures, steps=spec.clip_steps, seed=spec.seed, advance=advance)
    save_clip(clip, folder / "clip")
    llava = new_llava(clip, spec.seed)
    features = look(llava, pictures)
    with progress("tiny LLaVA", spec.llava_steps) as advance:
        train_captions(
            llava, scenes, features, companions, steps=spec.llava_steps, seed=spec.seed, advance=advance
        )
    save_llava(llava, folder / "llava")
    return llava


def _captions(spec: WorldSpec, llava: Any, scenes: list[Scene]) -> list[list[str]]:  # noqa: ANN401
    """Return `spec.samples` captions of every scene, drawn from the tiny LLaVA."""
    generator = torch.Generator().manual_seed(spec.seed)
    features = look(llava, pixels(scenes)).repeat_interleave(spec.samples, dim=0)
    texts: list[str] = []
    with progress("captions", len(features)) as advance:
        for rows in torch.split(features, _SAMPLED_AT_ONCE):
            texts += sample(
                llava, rows, temperature=spec.temperature, max_new_tokens=_MOST_TOKENS, generator=generator
            )
            advance(len(rows))
    said = [natural(text) for text in texts]
    return [said[start : start + spec.samples] for start in range(0, len(said), spec.samples)]
