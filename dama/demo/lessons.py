"""What the tiny splitter learns: responses and the facts that they are made of, without end.

Most are captions such as the tiny LLaVA writes. Some are malformed as its slips are, some are words in no
order at all: what cannot be guessed has to be copied.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from dama.benchmarks.mentions import COLOURS, COLUMNS, ROWS, SHAPES, SIZES, Mention
from dama.demo.preferences import natural
from dama.demo.tokens import WORDS
from dama.hardness.rules import facts_of

_WORDS = tuple(word for word in WORDS if word.isalpha() or word == ":")
"""All that the tiny LLaVA can say, but full stops."""
_COUNTS, _COUNT_WEIGHTS = (1, 2, 3, 4, 5, 6, 7, 8), (2, 3, 4, 4, 3, 2, 2, 1)
_SCRAMBLED, _REPEATED, _SLIP, _CUT = 0.1, 0.05, 0.08, 0.05
_FEWEST, _MOST = 2, 14
"""Words of a sentence in no order."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A response and its facts."""

    response: str
    facts: tuple[str, ...]


def lessons(seed: int) -> Iterator[Lesson]:
    """Yield lessons without end; the same seed gives the same ones."""
    rng = random.Random(f"lessons/{seed}")
    while True:
        response = _response(rng)
        facts = facts_of(response)
        if facts:
            yield Lesson(response, facts)


def _response(rng: random.Random) -> str:
    sentences: list[str] = []
    scrambled = rng.random() < _SCRAMBLED
    for _ in range(rng.choices(_COUNTS, _COUNT_WEIGHTS)[0]):
        if sentences and rng.random() < _REPEATED:
            sentences.append(rng.choice(sentences))
        elif scrambled:
            sentences.append(" ".join(rng.choices(_WORDS, k=rng.randint(_FEWEST, _MOST))))
        else:
            sentences.append(_slipped(_mention(rng).sentence().lower().rstrip("."), rng))
    text = natural(" ".join(f"{sentence}." for sentence in sentences))
    if rng.random() < _CUT:
        words = text.split()
        text = " ".join(words[: rng.randint(1, len(words))])
    return text


def _mention(rng: random.Random) -> Mention:
    return Mention(*(rng.choice(words) for words in (ROWS, COLUMNS, SIZES, COLOURS, SHAPES)))


def _slipped(sentence: str, rng: random.Random) -> str:
    """Return `sentence`, now and then with some of its words left out, said again, or another in between."""
    if rng.random() >= _SLIP:
        return sentence
    words = sentence.split()
    first, second = sorted(rng.sample(range(len(words) + 1), 2))
    slip = rng.choice(("out", "again", "other"))
    if slip == "out" and second - first < len(words):
        return " ".join(words[:first] + words[second:])
    if slip == "again":
        return " ".join(words[:second] + words[first:])
    return " ".join([*words[:first], rng.choice(_WORDS), *words[first:]])
