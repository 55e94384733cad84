"""Steps in memory, without a trainer around them: the usual way, shared rows, the released DAMA.

Forward and backward; the gradients are dropped between steps, and there is no optimizer: AdamW's share is the
same for both and known (two states a weight), so it would only blur what is compared.
"""

from __future__ import annotations

from typing import Any

import torch
from ours import shared_dpo
from shapes import SHAPES, deeper, new_llava, preferences
from trial import Trial, stepped
from usual import released_dama, usual_dpo

from dama.model.encode import Encoded
from dama.model.logps import AnswerLogps


def _made(settings: dict[str, Any]) -> tuple[Any, list[Encoded], torch.Tensor]:
    shape = deeper(SHAPES[settings["shape"]], settings.get("layers"))
    llava = new_llava(shape)
    model = AnswerLogps(llava, gradient_checkpointing=settings["recompute"])  # freezes the vision tower
    model.train()
    batch = preferences(shape, settings["batch"])
    return model, batch, torch.full((len(batch), 2), -10.0 * shape.answer)


def usual(settings: dict[str, Any]) -> Trial:
    """Measure plain DPO the usual way, the whole batch as one micro-batch."""
    model, batch, reference_N2 = _made(settings)

    def step() -> None:
        usual_dpo(model.llava, batch, reference_N2)
        model.zero_grad()

    return stepped(step, warm=step, steps=settings["steps"])


def shared(settings: dict[str, Any]) -> Trial:
    """Measure plain DPO on shared rows, the whole batch as one micro-batch."""
    model, batch, reference_N2 = _made(settings)

    def step() -> None:
        shared_dpo(model, batch, reference_N2)
        model.zero_grad()

    return stepped(step, warm=step, steps=settings["steps"])


def released(settings: dict[str, Any]) -> Trial:
    """Measure one optimizer batch of DAMA as its authors' script computes it, and its AdamW step."""
    model, batch, reference_N2 = _made(settings)
    alpha_N, micro = torch.ones(len(batch)), settings["micro"]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-6, weight_decay=0.0)

    def step(count: int) -> None:
        released_dama(model.llava, batch[:count], reference_N2[:count], alpha_N[:count], micro)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    # one micro-batch warms up as well as four
    return stepped(lambda: step(len(batch)), warm=lambda: step(micro), steps=settings["steps"])
