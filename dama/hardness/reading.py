"""What a text tower reads of a fact: the fact itself, its beginning, or all its pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dama.errors import HardnessError
from dama.hardness.pieces import pieces
from dama.hardness.texts import TextTower
from dama.records import Facts, Preference

OverLength = Literal["truncate", "split", "refuse"]
DENSEST = 16
"""Characters a token, on average, that no text reaches: a longer one is over-length without being counted,
for the time that a tokenizer takes grows with the square of a word's length."""


@dataclass(frozen=True)
class Reading:
    """The texts that are encoded for one fact; their mean score is the fact's."""

    pieces: tuple[str, ...]
    mark: str = ""
    """`truncated` or `split` for a fact of more tokens than the model reads."""


class Reader:
    """Decides what is read of facts, over-long ones among them."""

    def __init__(self, tower: TextTower, over_length: OverLength) -> None:
        self._tower, self._over_length = tower, over_length
        self._most = DENSEST * tower.context

    def readings(self, items: Sequence[tuple[Preference, Facts]]) -> dict[str, Reading]:
        """Return the reading of every distinct fact; HardnessError naming the first that is refused."""
        texts = dict.fromkeys(text for _, facts in items for text in (*facts.chosen, *facts.rejected))
        countable = [text for text in texts if len(text) <= self._most]
        counts = dict(zip(countable, self._tower.counts(countable), strict=True))
        over = {text for text in texts if text not in counts or counts[text] > self._tower.context}
        if over and self._over_length == "refuse":
            raise self._refusal(items, over, counts)
        return {text: self._cut(text) if text in over else Reading((text,)) for text in texts}

    def _cut(self, text: str) -> Reading:
        if self._over_length == "split":
            return Reading(pieces(text, self._fits), "split")
        if len(text) > self._most:  # blanks must not be all that is left
            text = " ".join(text.split())[: self._most]
        return Reading((text,), "truncated")  # the tokenizer cuts it

    def _fits(self, text: str) -> bool:
        return len(text) <= self._most and self._tower.counts([text])[0] <= self._tower.context

    def _refusal(
        self, items: Sequence[tuple[Preference, Facts]], over: set[str], counts: dict[str, int]
    ) -> HardnessError:
        name, side, text = next(
            (preference.id, side, text)
            for preference, facts in items
            for side, texts in (("chosen", facts.chosen), ("rejected", facts.rejected))
            for text in texts
            if text in over
        )
        size = f"{counts[text]} tokens" if text in counts else f"{len(text)} characters"
        return HardnessError(
            f"preference {name} has a {side} fact of {size}",
            wanted=f"at most {self._tower.context} tokens, which the CLIP model reads",
            do="set hardness.scorer.over_length to truncate or split, or have facts split finer",
        )
