"""Time to score facts by CLIP: ours against every (image, fact) pair by its own forward.

    python tests/bench/scoring.py [--shape small] [--preferences 12] [--repeats 5] [--threads 2]

Two responses to an image, five facts a response, ten to twenty tokens a fact; no fact occurs twice, so
nothing is won by de-duplication. `pairs` keeps an image's pixels, so every way decodes an image once. `whole
context` is ours for a text tower that cannot be shortened: images and facts once, in batches, but 77
positions a fact.
"""

from __future__ import annotations

import argparse
import io
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from PIL import Image
from table import Target, heading, interleaved, ratios, spread, table

from dama.data.images import decode
from dama.hardness.clip import Clip, new_clip
from dama.hardness.scorer import ClipScorer
from dama.records import Facts, Preference

FASTER = Target("least", 3.0)
FACTS, RESPONSES, WORDS = 5, 2, (8, 16)
SHAPES: dict[str, dict[str, Any]] = {
    "small": {"image": 224, "patch": 32, "vision": 384, "vision_layers": 6, "text": 256, "text_layers": 6},
    "minute": {"image": 64, "patch": 32, "vision": 64, "vision_layers": 1, "text": 64, "text_layers": 1},
}
_LEXICON = """
a the red blue brown wooden large small dog cat man woman child bench table sofa bicycle car street park
kitchen window sits stands holds wears rides beside behind above under near with and hat shirt umbrella
plate cup phone tree grass water sky sign two three several left right background foreground
""".split()  # noqa: SIM905 - a list of seventy quoted words reads worse
Item = tuple[Preference, Facts]


class Encoded:
    """Pictures as JPEG, decoded whenever they are opened."""

    def __init__(self, count: int) -> None:
        rng = random.Random(0)
        self.by_key: dict[str, bytes] = {}
        for number in range(count):
            picture = Image.frombytes("RGB", (40, 30), rng.randbytes(40 * 30 * 3)).resize((640, 480))
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=90)
            self.by_key[f"{number:064x}"] = buffer.getvalue()

    def open(self, sha256: str) -> Image.Image:
        """Return a picture."""
        return decode(self.by_key[sha256])


def new_model(shape: str) -> Clip:
    """Return a random CLIP with open_clip's own tokenizer and transform, 77 positions a text."""
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2

    of = SHAPES[shape]
    torch.manual_seed(0)
    model = new_clip(
        {
            "embed_dim": of["text"],
            "vision_cfg": {
                "image_size": of["image"],
                "patch_size": of["patch"],
                "width": of["vision"],
                "layers": of["vision_layers"],
            },
            "text_cfg": {"width": of["text"], "layers": of["text_layers"], "heads": of["text"] // 64},
        },
        100.0,
    )
    transform = image_transform_v2(PreprocessCfg(size=of["image"]), is_train=False)
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    return Clip(model.eval().requires_grad_(False), transform, tokenizer, "cpu", "float32", {})


def preferences(images: Encoded) -> list[Item]:
    """Return one preference an image, each with its own facts."""
    rng = random.Random(1)

    def facts(number: int) -> tuple[str, ...]:
        return tuple(
            f"{' '.join(rng.choices(_LEXICON, k=rng.randint(*WORDS)))} {number}." for _ in range(FACTS)
        )

    return [
        (Preference(f"p{n}", sha256, "", "", ""), Facts(f"p{n}", facts(n), facts(n)))
        for n, sha256 in enumerate(images.by_key)
    ]


@torch.inference_mode()
def by_pairs(clip: Clip, items: Sequence[Item], images: Encoded) -> list[float]:
    """Return the scores of all facts, every one by a forward of its own and its image's."""
    found = []
    for preference, facts in items:
        pixels = clip.transform(images.open(preference.image))[None]
        for text in (*facts.chosen, *facts.rejected):
            image, fact, scale = clip.model(pixels, clip.tokenizer([text]))[:3]
            found.append(float(scale * (image * fact).sum()))
    return found


def by_scorer(clip: Clip, batch: int, items: Sequence[Item], images: Encoded) -> list[float]:
    """Return the same by ours; RuntimeError unless every image and fact was encoded exactly once."""
    scorer = ClipScorer(clip, batch=batch)
    found = [one for score in scorer.score(items, images) for one in (*score.chosen, *score.rejected)]
    if scorer.counts != {"images": len(images.by_key), "texts": len(found)}:
        raise RuntimeError(f"encoded {dict(scorer.counts)}")
    return found


def timed(run: Callable[[], list[float]]) -> tuple[float, list[float]]:
    """Return the seconds it took, and what it returned."""
    started = time.perf_counter()
    found = run()
    return time.perf_counter() - started, found


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", choices=list(SHAPES), default="small")
    parser.add_argument("--preferences", type=int, default=12)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args(argv)
    torch.set_num_threads(asked.threads)
    images = Encoded(asked.preferences)
    items, clip, whole = preferences(images), new_model(asked.shape), new_model(asked.shape)
    whole.model.attn_mask = whole.model.attn_mask.clone()
    whole.model.attn_mask[0, -1] = -1e9  # as closed as before, but not a mask that may be shortened
    count = len(items) * RESPONSES * FACTS
    of = SHAPES[asked.shape]
    heading(
        "Scores by CLIP: ours against every pair by its own forward",
        f"vision {of['vision_layers']} layers × {of['vision']}, {of['image']} pixels; text "
        f"{of['text_layers']} layers × {of['text']}, 77 positions; fp32, {asked.threads} threads",
        f"{len(items)} preferences, {RESPONSES} responses an image, {FACTS} facts a response: {count} "
        f"scores; batches of {asked.batch}; {asked.repeats} repeats in turn after one to warm up",
    )
    ways = {
        "pairs": partial(timed, partial(by_pairs, clip, items, images)),
        "whole context": partial(timed, partial(by_scorer, whole, asked.batch, items, images)),
        "ours": partial(timed, partial(by_scorer, clip, asked.batch, items, images)),
    }
    first = {name: run()[1] for name, run in ways.items()}
    found = interleaved(ways, asked.repeats)
    seconds = {name: [one for one, _ in results] for name, results in found.items()}
    table(
        ["way", "s", "facts/s", "images encoded", "largest difference of a score"],
        [
            [
                name,
                spread(times),
                spread([count / one for one in times], 0),
                str(count if name == "pairs" else len(items)),
                f"{max(abs(a - b) for a, b in zip(first[name], first['pairs'], strict=True)):.0e}",
            ]
            for name, times in seconds.items()
        ],
    )
    faster = ratios(seconds["pairs"], seconds["ours"])
    by_length = ratios(seconds["whole context"], seconds["ours"])
    table(
        ["", "ratio", ""],
        [
            ["times faster", spread(faster), FASTER.verdict(faster)],
            ["of that by shorter rows", spread(by_length), ""],
        ],
    )


if __name__ == "__main__":
    main()
