"""What may be asked of a language model, wherever it runs: conversations, all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Messages = Sequence[Mapping[str, str]]
"""A conversation: role and content of every message."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a model replied to a conversation, and how the reply ended."""

    text: str
    ended: Literal["stop", "length", "refused"] = "stop"
    """By itself; at the most tokens it may have; or it never began, for the conversation is too long or
    the endpoint will not have it."""


class Chat(Protocol):
    """A language model that answers conversations."""

    def ask(
        self, conversations: Sequence[Messages], *, reply_tokens: int, schema: Mapping[str, Any] | None = None
    ) -> list[Said]:
        """Return one reply a conversation, in order, greedily; with `schema`, replies are forced into it.

        A conversation that cannot be asked gets an empty reply, ended "refused". What fails for all of them
        (no weights, no memory, no server) is a DamaError.
        """
        ...

    def close(self) -> None:
        """Give back what the model holds; asking again opens it again."""
        ...
