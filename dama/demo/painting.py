"""Scenes as pictures of 72 × 72 pixels."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from dama.benchmarks.mentions import Mention
from dama.demo.scenes import CELLS, Scene

if TYPE_CHECKING:
    import numpy as np

PIXELS = 72
CELL_PIXELS = 24

_RADIUS = {"small": 6, "big": 10}
_PAINT = {
    "red": (214, 32, 38),
    "orange": (246, 146, 30),
    "green": (34, 150, 66),
    "blue": (36, 84, 204),
    "purple": (142, 50, 168),
    "black": (24, 24, 24),
}


def paint(scene: Scene) -> Image.Image:
    """Return the scene as an RGB picture."""
    picture = Image.new("RGB", (PIXELS, PIXELS), scene.background)
    draw = ImageDraw.Draw(picture)
    for thing in scene.things:
        row, column = divmod(CELLS.index(thing.mention.cell), 3)
        x = column * CELL_PIXELS + CELL_PIXELS // 2 + thing.dx
        y = row * CELL_PIXELS + CELL_PIXELS // 2 + thing.dy
        _put(draw, thing.mention, x, y, scene.background)
    return picture


def png(scene: Scene) -> bytes:
    """Return the scene as a PNG file."""
    file = io.BytesIO()
    paint(scene).save(file, "PNG")
    return file.getvalue()


def pixels(scenes: Sequence[Scene]) -> np.ndarray:
    """Return the pictures of `scenes` as bytes, shape (scene, row, column, channel)."""
    import numpy as np

    return np.stack([np.asarray(paint(scene)) for scene in scenes])


def _put(draw: ImageDraw.ImageDraw, mention: Mention, x: int, y: int, hole: tuple[int, int, int]) -> None:
    r, fill, shape = _RADIUS[mention.size], _PAINT[mention.colour], mention.shape
    if shape == "circle":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
    elif shape == "ring":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
        inner = r // 2
        draw.ellipse((x - inner, y - inner, x + inner, y + inner), fill=hole)
    elif shape == "square":
        half = round(r * 0.85)
        draw.rectangle((x - half, y - half, x + half, y + half), fill=fill)
    elif shape == "triangle":
        draw.polygon([(x, y - r), (x + r, y + r - 1), (x - r, y + r - 1)], fill=fill)
    elif shape == "cross":
        arm = max(1, r // 4)
        draw.rectangle((x - arm, y - r, x + arm, y + r), fill=fill)
        draw.rectangle((x - r, y - arm, x + r, y + arm), fill=fill)
    else:
        draw.polygon(_star(x, y, r), fill=fill)


def _star(x: int, y: int, r: int) -> list[tuple[float, float]]:
    """Return the ten corners of a five-pointed star."""
    corners = []
    for step in range(10):
        reach = r if step % 2 == 0 else r * 0.4
        angle = math.pi * (step / 5 - 0.5)
        corners.append((x + reach * math.cos(angle), y + reach * math.sin(angle)))
    return corners
