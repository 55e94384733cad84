"""An over-long fact, cut into pieces that a text tower reads to their ends."""

from __future__ import annotations

import re
from collections.abc import Callable

_SENTENCE = re.compile(r"(?<=[.!?…;:؟۔])\s+|(?<=[。！？；])\s*")
_CLAUSE = re.compile(r"(?<=[,،–—)])\s+|(?<=[、，：])\s*")
_WORD = re.compile(r"\s+")


def pieces(text: str, fits: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the parts of `text`, in order, each of which `fits`; the text itself where it does.

    A text is halved until it fits: at the border of sentences nearest to its middle, else of clauses, else
    of words, else within a word (writing without spaces). So pieces are of similar length, none a mere
    remainder. A single character that does not fit stays as it is.
    """
    text = text.strip()
    if len(text) < 2 or fits(text):
        return (text,)
    left, right = _halves(text)
    return pieces(left, fits) + pieces(right, fits)


def _halves(text: str) -> tuple[str, str]:
    middle = len(text) / 2
    for border in (_SENTENCE, _CLAUSE, _WORD):
        found = [match.span() for match in border.finditer(text)]
        inner = [(start, end) for start, end in found if middle / 2 <= start and end <= middle * 1.5]
        if inner:
            start, end = min(inner, key=lambda span: abs(sum(span) / 2 - middle))
            return text[:start], text[end:]
    return text[: len(text) // 2], text[len(text) // 2 :]
