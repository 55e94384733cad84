"""The miniature world's sentences: one mention of one thing each, written and read exactly.

    A small red star at the middle right.
      size  colour shape     row    column

What is written here is read back the same; any other sentence is malformed and mentions nothing that exists.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SIZES = ("small", "big")
COLOURS = ("red", "orange", "green", "blue", "purple", "black")
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
ROWS = ("top", "middle", "bottom")
COLUMNS = ("left", "centre", "right")

PROMPT = "Describe the image."

_SENTENCE = re.compile(
    rf"a ({'|'.join(SIZES)}) ({'|'.join(COLOURS)}) ({'|'.join(SHAPES)}) "
    rf"at the ({'|'.join(ROWS)}) ({'|'.join(COLUMNS)})"
)


@dataclass(frozen=True, slots=True)
class Mention:
    """One thing and where it is, whether seen in a scene or said in a caption."""

    row: str
    column: str
    size: str
    colour: str
    shape: str

    @property
    def kind(self) -> tuple[str, str]:
        """Colour and shape: what a mention is true or false by."""
        return self.colour, self.shape

    @property
    def cell(self) -> tuple[str, str]:
        """Row and column."""
        return self.row, self.column

    def sentence(self) -> str:
        """Return the fact that states this mention."""
        return f"A {self.size} {self.colour} {self.shape} at the {self.row} {self.column}."


def caption(mentions: Sequence[Mention]) -> str:
    """Return one sentence per mention, in the order given."""
    return " ".join(mention.sentence() for mention in mentions)


def parse(text: str) -> list[Mention | None]:
    """Return the mention of every sentence of a caption; None stands for a malformed sentence.

    Letter case and spaces do not matter. What follows the last full stop is a sentence too, a malformed one:
    an answer that was cut off has not said where the thing is.
    """
    *whole, rest = [" ".join(sentence.lower().split()) for sentence in text.split(".")]
    mentions: list[Mention | None] = []
    for sentence in whole:
        match = _SENTENCE.fullmatch(sentence)
        if match is None:
            mentions.append(None)
            continue
        size, colour, shape, row, column = match.groups()
        mentions.append(Mention(row, column, size, colour, shape))
    return [*mentions, None] if rest else mentions
