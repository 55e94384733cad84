"""Preferences with drawn images, and their scores by the slow way: every (image, fact) by its own forward."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from dama.records import Facts, Preference

Item = tuple[Preference, Facts]


class Drawn:
    """Images by number, drawn on the spot; notes which are opened."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self._lock = threading.Lock()

    def open(self, sha256: str) -> Image.Image:
        with self._lock:
            self.opened.append(sha256)
        shade = int(sha256, 16)
        image = Image.new("RGB", (40, 30), (shade % 256, 40, 255 - shade % 256))
        image.paste((255, 255, 0), (shade % 30, 5, shade % 30 + 9, 20))
        return image


def key(number: int) -> str:
    """Return what stands for an image's sha256."""
    return f"{number:064x}"


def one(chosen: Sequence[str], rejected: Sequence[str] = ("a star .",), *, name: str = "p") -> Item:
    """Return a preference with these facts."""
    return Preference(name, key(3), "What?", "", ""), Facts(name, tuple(chosen), tuple(rejected))


def items(count: int) -> list[Item]:
    """Return preferences of one to three facts a side, two to an image, some facts shared between them."""
    made = []
    for n in range(count):
        chosen = tuple(f"a {colour} star on the left ." for colour in ("red", "blue", "green")[: 1 + n % 3])
        rejected = (
            ("a big circle at the top .",) if n % 2 else ("a small square .", "a red star on the left .")
        )
        preference = Preference(f"p{n}", key(17 * (n // 2)), "What?", " ".join(chosen), " ".join(rejected))
        made.append((preference, Facts(f"p{n}", chosen, rejected)))
    return made


def slow_scores(folder: Path, item: Item) -> tuple[list[float], list[float]]:
    """Return both answers' scores by plain open_clip, one forward for every image and fact, in float64."""
    import open_clip

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    model.eval()
    tokenize = open_clip.get_tokenizer(f"local-dir:{folder}")
    preference, facts = item
    sides = []
    for texts in (facts.chosen, facts.rejected):
        scores = []
        for text in texts:
            with torch.inference_mode():
                image = model.encode_image(transform(Drawn().open(preference.image))[None])[0].double()
                fact = model.encode_text(tokenize([text]))[0].double()
            cosine = float(image @ fact / (image.norm() * fact.norm()))
            scores.append(float(model.logit_scale.detach().exp()) * cosine)
        sides.append(scores)
    return sides[0], sides[1]
