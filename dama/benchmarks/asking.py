"""What a judge is asked, and who may answer: a model at an endpoint, or replies that were kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Asked:
    """One prompt to a judge."""

    messages: tuple[tuple[str, str], ...]
    """(role, content) of every message."""
    temperature: float | None = None
    """The endpoint's own if None."""
    max_tokens: int | None = None

    def digest(self) -> str:
        """Return the sha256 (hex) of the prompt and its settings."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a judge said, which model it says it is, when, and what it took."""

    text: str
    model: str
    date: str
    """UTC, ISO 8601; empty where it was not recorded."""
    prompt_tokens: int = 0
    completion_tokens: int = 0


Turn = Callable[[str, tuple[str, ...]], Asked | None]
"""(question, replies so far) -> what to ask next; None when there is nothing more to ask."""
Replies = dict[str, tuple[Reply, ...]]
"""Every reply to each question, in the order they came."""


class Asker(Protocol):
    """Who answers for the judge."""

    prices: tuple[float, float] | None
    """Price of a million tokens of prompts and of replies; None where it is not known."""

    def ask(self, benchmark: str, ids: Sequence[str], turn: Turn) -> Replies:
        """Ask about every question until its turn is over.

        Raises JudgeError when no answer can be had, BudgetSpent when the budget ends before the questions.
        """
        ...
