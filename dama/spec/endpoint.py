"""A language model behind an OpenAI-compatible endpoint, and how hard it is asked."""

from __future__ import annotations

from typing import Annotated

from pydantic import AnyHttpUrl, Field, field_validator

from dama.spec.base import EnvName, Part, PositiveFloat, PositiveInt


class EndpointPart(Part):
    """What every part that asks an endpoint says of it; keys are named, never written."""

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

    @field_validator("base_url")
    @classmethod
    def _no_keys_inside(cls, address: AnyHttpUrl | None) -> AnyHttpUrl | None:
        if address is not None and (
            address.username or address.password or address.query or address.fragment
        ):
            raise ValueError(
                "holds credentials or a query; write the address alone and name the variable that holds the "
                "key in key_env"
            )
        return address
