"""LoRA: which layers get adapters, and how large they are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from dama.spec.base import Part, PositiveFloat, PositiveInt

LayerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class LoraSpec(Part):
    """Adapters of low rank beside frozen weights: W + alpha/rank · B·A. They have no dropout, because both
    passes of a step and the cached reference log-probabilities must be one and the same function."""

    rank: PositiveInt = 64
    """Rows of A, columns of B."""
    alpha: PositiveFloat = 128.0
    """Adapters are scaled by alpha/rank."""
    targets: Literal["text"] | Annotated[tuple[LayerName, ...], Field(min_length=1)] = "text"
    """`text`: every linear layer of the language model; or their last names, such as `[q_proj, v_proj]`. The
    head and the vision tower never get any."""
    projector: Literal["full", "frozen"] = "full"
    """Whether the projector is trained in full beside the adapters, as LLaVA's own LoRA trainer does."""
