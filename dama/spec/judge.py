"""Who judges answers that only a language model can judge."""

from __future__ import annotations

from typing import Annotated

from pydantic import AnyHttpUrl, Field, field_validator, model_validator

from dama.spec.base import EnvName, Part, PositiveFloat, PositiveInt


class JudgeSpec(Part):
    """A model behind an OpenAI-compatible endpoint, how hard to ask it, and what it may cost."""

    model: Annotated[str, Field(min_length=1)]
    """The model's name at the endpoint."""
    base_url: AnyHttpUrl | None = None
    """The endpoint (…/v1); OpenAI's own if left out."""
    key_env: EnvName | None = "OPENAI_API_KEY"
    """Name (never the value) of the environment variable with the key; null where no key is needed."""
    concurrency: PositiveInt = 8
    """Requests under way at a time."""
    attempts: PositiveInt = 6
    """Tries of one request, with growing, jittered pauses."""
    timeout_seconds: PositiveFloat = 120.0
    """Wait this long for one reply."""
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

    @field_validator("base_url")
    @classmethod
    def _no_keys_inside(cls, address: AnyHttpUrl | None) -> AnyHttpUrl | None:
        if address is not None and (address.username or address.password):
            raise ValueError("holds credentials; name the variable that holds the key in key_env")
        return address

    @model_validator(mode="after")
    def _cost_has_prices(self) -> JudgeSpec:
        if self.max_cost is not None and not (self.prompt_price or self.completion_price):
            raise ValueError("max_cost without a price; write prompt_price and completion_price")
        return self
