"""AMBER's generative half: which nouns of a caption are in the image, which are made up.

Every image comes with what is in it (`truth`) and what people tend to hallucinate about it (`hallu`);
`relation.json` lists for every such word others that stand for it, and all of these together are the
vocabulary: other nouns are not looked at. Of the vocabulary's nouns in a caption

    CHAIR   share neither in the image, nor standing for something in it, nor in safe_words.txt
    Cover   share of the image's things that are mentioned
    Hal     share of captions with any false noun
    Cog     share of the tempting things that are mentioned

Two words also stand for each other when their vectors are closer than 0.8 (spaCy's en_core_web_lg); see
`nouns.py` and `tagged_nouns.py` for who decides that here.

Quirks of the official script, kept in `official`: every denominator starts at 0.001 and figures are rounded
to one decimal; a word is credited to the first thing it stands for before the thing that bears its very
name (of beach and ground, where `ground` also stands for `beach`, a mentioned ground covers the beach); a
thing that is listed twice is covered once; words with a capital letter are no nouns of the vocabulary.
`robust` counts without 0.001 and rounding, credits a word to the thing of that name and only then to the
first it stands for, counts a thing that is listed twice once, and does not care about capital letters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from dama.benchmarks.base import Mode

EPSILON = 0.001
"""What the official script's denominators start at (its metrics.txt)."""


class Caption(NamedTuple):
    """What one caption comes to."""

    nouns: int
    false: int
    covered: int
    things: int
    tempted: int
    temptations: int


class Image(NamedTuple):
    """What is known of one image."""

    truth: tuple[str, ...]
    hallu: tuple[str, ...]


def judge_caption(
    nouns: Sequence[str],
    image: Image,
    association: Mapping[str, Sequence[str]],
    safe_words: frozenset[str],
    similar: Callable[[str, str], bool],
    mode: Mode,
) -> Caption:
    """Return what a caption's nouns (of the vocabulary only) come to."""
    truth = _Things(image.truth, association, mode)
    hallu = _Things(image.hallu, association, mode)
    false = 0
    for noun in nouns:
        if noun in safe_words or truth.mention(noun):
            continue
        hallu.mention(noun)
        hallu.mention_similar(noun, similar)
        false += not truth.mention_similar(noun, similar)
    return Caption(len(nouns), false, truth.mentioned, truth.count, hallu.mentioned, hallu.count)


class _Things:
    """Things listed for an image, the words that stand for them, and which were mentioned."""

    def __init__(self, listed: Sequence[str], association: Mapping[str, Sequence[str]], mode: Mode) -> None:
        self._listed = tuple(listed) if mode == "official" else tuple(dict.fromkeys(listed))
        others = [(word, i) for i, thing in enumerate(self._listed) for word in association.get(thing, ())]
        names = [(thing, i) for i, thing in enumerate(self._listed)]
        self._words = others + names if mode == "official" else names + others
        self._found: set[int] = set()

    @property
    def count(self) -> int:
        """Return the number of things."""
        return len(self._listed)

    @property
    def mentioned(self) -> int:
        """Return the number of things that were mentioned."""
        return len(self._found)

    def mention(self, noun: str) -> bool:
        """Credit `noun` to the first thing it stands for; False when there is none."""
        return self._credit(lambda word: word == noun)

    def mention_similar(self, noun: str, similar: Callable[[str, str], bool]) -> bool:
        """Credit `noun` to the first thing that a similar word stands for; False when there is none."""
        return self._credit(lambda word: similar(noun, word))

    def _credit(self, stands_for: Callable[[str], bool]) -> bool:
        for word, thing in self._words:
            if stands_for(word):
                self._found.add(thing)
                return True
        return False


def caption_figures(captions: Mapping[Caption, int]) -> dict[str, float]:
    """Return CHAIR, Cover, Hal and Cog in percent; a figure without a denominator is left out."""
    sums = _Sums.of(captions)
    return {
        name: 100 * part / whole
        for name, part, whole in (
            ("chair", sums.false, sums.nouns),
            ("cover", sums.covered, sums.things),
            ("hal", sums.hallucinated, sums.captions),
            ("cog", sums.tempted, sums.temptations),
        )
        if whole
    }


def official_caption_figures(captions: Mapping[Caption, int]) -> dict[str, float]:
    """Return the same as the official script prints it."""
    sums = _Sums.of(captions)
    if not sums.captions:
        return {}
    return {
        "chair": round(sums.false / (sums.nouns + EPSILON) * 100, 1),
        "cover": round(sums.covered / (sums.things + EPSILON) * 100, 1),
        "hal": round(100 - (sums.captions - sums.hallucinated) / (sums.captions + EPSILON) * 100, 1),
        "cog": round(sums.tempted / (sums.temptations + EPSILON) * 100, 1),
    }


class _Sums(NamedTuple):
    captions: int
    hallucinated: int
    nouns: int
    false: int
    covered: int
    things: int
    tempted: int
    temptations: int

    @classmethod
    def of(cls, captions: Mapping[Caption, int]) -> _Sums:
        total = [0] * 8
        for caption, times in captions.items():
            for place, value in enumerate((1, caption.false > 0, *caption)):
                total[place] += times * value
        return cls(total[0], total[1], *total[2:])
