"""The word that a person may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the question whether one of `known` was meant, "" where none is close."""
    close = get_close_matches(word.lower(), list(known), n=1)
    return f"did you mean '{close[0]}'?" if close else ""
