"""A language model's reply as facts, where it can be read as a list; what it holds is never trusted."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

_LONGEST = 200_000
_FENCED = re.compile(r"```[a-zA-Z]*\s*\n(.*?)```", re.DOTALL)
_ITEM = re.compile(r"^\s*(?:[-*+•‣◦–—]|\(?\d{1,4}[.)])\s+(?=\S)")


def facts_of_reply(reply: str, max_facts: int) -> tuple[str, ...] | None:
    """Return the facts that a reply lists, None where it is no list, an empty one, or one of too many.

    A list is JSON, alone, in a code fence, after some words, or the only value of an object; or lines that
    begin with a bullet or a number, at least as many as there are other lines. Half a list is none: nobody
    knows what the other half held.
    """
    if len(reply) > _LONGEST:
        return None
    found = _json_list(reply)
    if found is None:
        found = _plain_list(reply)
    facts = tuple(fact for fact in map(_cleaned, found or ()) if any(map(str.isalnum, fact)))
    return facts if 0 < len(facts) <= max_facts else None


def _json_list(reply: str) -> list[str] | None:
    """Return the strings of the JSON list in a reply."""
    start, end = reply.find("["), reply.rfind("]")
    fenced = _FENCED.search(reply)
    for text in (
        reply,
        fenced.group(1) if fenced else "",
        reply[start : end + 1] if 0 <= start < end else "",
    ):
        found = _parsed(text.strip())
        if isinstance(found, dict) and len(found) == 1:
            found = next(iter(found.values()))
        if isinstance(found, list) and all(isinstance(item, str) for item in found):
            return found
    return None


def _parsed(text: str) -> Any:  # noqa: ANN401 - a JSON value, None where there is none
    try:
        return json.loads(text, strict=False)  # grammars let control characters through unescaped
    except (ValueError, RecursionError):
        return None


def _plain_list(reply: str) -> list[str] | None:
    """Return the items of a list written line by line."""
    lines = [line for line in reply.splitlines() if line.strip() and not line.strip().startswith("```")]
    items = [_ITEM.sub("", line) for line in lines if _ITEM.match(line)]
    return items if items and 2 * len(items) >= len(lines) else None


def _cleaned(fact: str) -> str:
    """Return a fact on one line, without control characters and halves of surrogate pairs."""
    spaced = " ".join(fact.split())
    return "".join(letter for letter in spaced if unicodedata.category(letter) not in ("Cc", "Cs"))
