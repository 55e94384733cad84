"""Who judges answers that only a language model can judge."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from dama.spec.base import PositiveFloat, PositiveInt
from dama.spec.endpoint import EndpointPart


class JudgeSpec(EndpointPart):
    """A model behind an OpenAI-compatible endpoint, how hard to ask it, and what it may cost."""

    max_requests: PositiveInt | None = None
    """Stop before more requests than this."""
    max_tokens: PositiveInt | None = None
    """Stop once prompts and replies together took so many tokens."""
    max_cost: PositiveFloat | None = None
    """Stop once they cost so much, by the two prices."""
    prompt_price: Annotated[float, Field(ge=0)] = 0.0
    """Price of a million tokens of prompts, in the currency of max_cost."""
    completion_price: Annotated[float, Field(ge=0)] = 0.0
    """Price of a million tokens of replies."""

    @model_validator(mode="after")
    def _cost_has_prices(self) -> JudgeSpec:
        if self.max_cost is not None and not (self.prompt_price or self.completion_price):
            raise ValueError("max_cost without a price; write prompt_price and completion_price")
        return self
