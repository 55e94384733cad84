"""Yes or no, as a person would read it out of an answer."""

from __future__ import annotations

import re
from typing import Literal

YesNo = Literal["yes", "no"]

_FIRST = re.compile(r"(?:(?:the |my |final )*answer\b(?: is)?\W*)?(yes|no)\b")
_ANYWHERE = re.compile(r"\b(yes|no)\b")


def read_yes_no(text: str) -> YesNo | None:
    """Return what an answer says, None when it says neither or both.

    Letter case, punctuation, Markdown and code fences do not matter. An answer that begins with yes or no
    says that; otherwise the only one of the two words that occurs in it ("There is no dog" says no).
    """
    words = " ".join(re.sub(r"[^\w\s'’.,:]", " ", text.lower()).split()).lstrip(" .,:'’_")
    first = _FIRST.match(words)
    if first is not None:
        return _word(first.group(1))
    said = set(_ANYWHERE.findall(words))
    return _word(said.pop()) if len(said) == 1 else None


def _word(text: str) -> YesNo:
    return "yes" if text == "yes" else "no"
