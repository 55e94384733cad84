"""The picture of a dataset's hardness: δ and β_D side by side (the paper's Fig. 7)."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from dama.report.drawing import drawn
from dama.report.histograms import beta_panel, delta_panel
from dama.report.palette import LIGHT
from dama.report.view import HardnessView

_COLOUR = "dama"


def hardness_picture(hardness: HardnessView, beta: float) -> bytes:
    """Return a PNG with the distributions of δ and of β·α_D; same numbers, same bytes."""
    alpha = hardness.alpha_data[np.isfinite(hardness.alpha_data)]
    of_beta = beta_panel(beta * alpha, _COLOUR)
    panels = (
        delta_panel(hardness, _COLOUR),
        replace(of_beta, title=f"{of_beta.title} at β = {beta:g}"),
    )
    pictures = [Image.open(io.BytesIO(drawn(panel).png)).convert("RGB") for panel in panels]
    size = (sum(picture.width for picture in pictures), max(picture.height for picture in pictures))
    both, left = Image.new("RGB", size, LIGHT["card"]), 0
    for picture in pictures:
        both.paste(picture, (left, 0))
        left += picture.width
    encoded = io.BytesIO()
    both.save(encoded, "PNG", optimize=True)
    return encoded.getvalue()
