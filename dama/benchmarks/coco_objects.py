"""COCO's 80 kinds of objects, by every word that names one (CHAIR, Rohrbach et al., arXiv 1809.02156).

`synonyms_refine.txt` lists a kind a line, its name first. A text becomes words, words become lemmas, two
words that name one thing become one ("hot dog", "baby horse"), and what the list knows becomes its kind.

`official` keeps what the script's tools do: WordNet's lemmas with their faults (`nouns.py`), and a phrase
that a judge found and that is no known pair of words counts only if it is a single noun; of a longer one
("dining room table", tagged as three nouns) nothing is known. `robust` takes the phrase's last word then.
The script tags a judge's phrases with spaCy's en_core_web_trf, so there an adjective in front is dropped;
that tagger is not used here, and the prompt asks for names without attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dama.benchmarks.base import Mode
from dama.benchmarks.nouns import lemma, tokens_of

_ANIMALS = (
    "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "animal", "cub",
)  # fmt: skip
_VEHICLES = ("jet", "train")


class Named(NamedTuple):
    """A word of a text and the kind of object it names."""

    word: str
    kind: str


class CocoObjects:
    """The words that name COCO's objects."""

    def __init__(self, synonyms: str, mode: Mode) -> None:
        """Read the list, a kind a line."""
        self._mode = mode
        self._kinds: dict[str, str] = {}
        for line in synonyms.splitlines():
            words = [word.strip() for word in line.split(", ") if word.strip()]
            for word in words:
                self._kinds[word] = words[0]
        pairs = {word: word for word in self._kinds if len(word.split(" ")) >= 2}
        pairs |= {"home plate": "home plate", "train track": "train track"}
        for animal in _ANIMALS:
            pairs |= {f"baby {animal}": animal, f"adult {animal}": animal}
        for vehicle in _VEHICLES:
            pairs[f"passenger {vehicle}"] = vehicle
        pairs |= {"bow tie": "tie", "toilet seat": "toilet", "wine glas": "wine glass"}
        self._pairs = pairs
        self._known = frozenset(word for name in (*self._kinds, *pairs) for word in name.split(" "))
        self._lemmas: dict[str, str] = {}

    def kind(self, name: str) -> str | None:
        """Return the kind of the object that bears exactly this name, None when there is none."""
        return self._kinds.get(name)

    def in_text(self, text: str) -> list[Named]:
        """Return every object a text names, as often as it does."""
        return self._named(self._joined(self._lemmatised(text)))

    def in_phrases(self, phrases: Sequence[str]) -> list[Named]:
        """Return the objects that a judge's list names, each word once."""
        words: list[str] = []
        for phrase in phrases:
            lemmas = [word for word in self._lemmatised(phrase) if word not in ("a", "an", "the")]
            pairs = self._joined(lemmas, alone=False)
            if pairs:
                words += pairs
            elif lemmas:
                words.append(" ".join(lemmas) if self._mode == "official" else lemmas[-1])
        return self._named(list(dict.fromkeys(words)))

    def _lemmatised(self, text: str) -> list[str]:
        found = []
        for token in tokens_of(text.lower()):
            if token not in self._lemmas:
                self._lemmas[token] = lemma(token, self._known, wordnet=self._mode == "official")
            found.append(self._lemmas[token])
        return found

    def _joined(self, words: Sequence[str], *, alone: bool = True) -> list[str]:
        """Return words with known pairs as one word; without `alone` the pairs only."""
        joined, place = [], 0
        while place < len(words):
            pair = self._pairs.get(" ".join(words[place : place + 2]))
            if pair is not None or alone:
                joined.append(words[place] if pair is None else pair)
            place += 1 if pair is None else 2
        return joined

    def _named(self, words: list[str]) -> list[Named]:
        if "toilet" in words and "seat" in words:  # the seat of a toilet is no chair
            words = [word for word in words if word != "seat"]
        return [Named(word, self._kinds[word]) for word in words if word in self._kinds]
