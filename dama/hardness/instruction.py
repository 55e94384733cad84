"""What a language model is told when it splits a response into facts.

The text lies in a file of its own with a version in its name. A change to it is a new file and a new
VERSION, for artifacts are named by it.
"""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import Any

VERSION = 1
"""Version of the instruction; part of what names the facts."""


@functools.cache
def instruction(version: int = VERSION) -> str:
    """Return the text of the system message."""
    return files("dama.hardness").joinpath(f"facts_instruction_{version}.txt").read_text("utf-8").strip()


def facts_messages(question: str, response: str) -> list[dict[str, str]]:
    """Return the messages that ask for the facts of `response` to `question`."""
    return [
        {"role": "system", "content": instruction()},
        {"role": "user", "content": f"Question:\n{question}\n\nResponse:\n{response}"},
    ]


def reply_schema(max_facts: int) -> dict[str, Any]:
    """Return the JSON schema of a reply: a list of strings, at least one.

    It allows one more than `max_facts`, so that a reply that had more to say is seen and not cut short.
    """
    return {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": max_facts + 1}
