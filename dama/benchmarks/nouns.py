"""The nouns of a caption that a benchmark's vocabulary knows: a lemma match, with nothing to download.

AMBER and Object HalBench look for words of a closed vocabulary. Their scripts tag every word (NLTK's
perceptron tagger; Object HalBench without a judge tags nothing) and reduce nouns by WordNet's lemmatizer.
Here a word is reduced by WordNet's own detachment rules (Morphy) and a list of irregular plurals, as far as
the vocabulary knows the result, so no dictionary is needed; and the few words of the vocabulary that are
verbs, adjectives or auxiliaries as well (`can`, `watch`, `sink`) count as nouns by what stands before and
behind them.

`wordnet=True` keeps what NLTK's lemmatizer does wrong on these vocabularies, as the official numbers have
it: it is case-sensitive (`Dogs` at the beginning of a sentence is lost), makes `vas` of `vases`, `leaf` of
`leaves`, leaves `men` as it is, and does not know words that WordNet 3.0 lacks (`streetlamps` stays).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Protocol


class Nouns(Protocol):
    """Who finds the nouns of a caption, and says which are as good as synonyms."""

    name: str
    """Said in the result."""

    def nouns(self, text: str) -> list[str]:
        """Return the lemmas of the nouns of `text`, in order, repeated as often as they occur."""
        ...

    def similar(self, word: str, other: str) -> bool:
        """Say whether two lemmas mean nearly the same."""
        ...


class LemmaMatch:
    """Nouns of one vocabulary by rules; two words are similar when they are the same."""

    def __init__(self, vocabulary: Collection[str], *, wordnet: bool = False) -> None:
        self.name = "lemma match"
        self._vocabulary, self._wordnet = frozenset(vocabulary), wordnet
        self._lemmas: dict[str, str] = {}

    def nouns(self, text: str) -> list[str]:
        """Return the words of the vocabulary that occur in `text` as nouns."""
        tokens = tokens_of(text)
        found = ((place, self.lemma(token)) for place, token in enumerate(tokens))
        return [
            lemma
            for place, lemma in found
            if lemma in self._vocabulary and (lemma not in _ALSO or _is_noun(tokens, place, lemma))
        ]

    def similar(self, word: str, other: str) -> bool:
        """Say whether they are the same word."""
        return word == other

    def lemma(self, token: str) -> str:
        """Return the word of the vocabulary that `token` is a form of, else `token`."""
        if token not in self._lemmas:
            self._lemmas[token] = lemma(token, self._vocabulary, wordnet=self._wordnet)
        return self._lemmas[token]


def tokens_of(text: str) -> list[str]:
    """Return the words of a text, hyphenated ones whole, and its punctuation."""
    return _TOKEN.findall(text)


def lemma(token: str, vocabulary: Collection[str], *, wordnet: bool) -> str:
    """Return the shortest form of `token` that the vocabulary knows, `token` itself when it knows none."""
    if wordnet:
        if token in _WORDNET_SAYS:
            return _WORDNET_SAYS[token]
        forms = [token, *(form for form in _detached(token) if form not in _WORDNET_LACKS)]
    elif token in vocabulary:
        return token
    else:
        small = token.lower()
        forms = [small, *_detached(small)]
    known = [form for form in forms if form in vocabulary]
    return min(known, key=len) if known else token


def _detached(token: str) -> list[str]:
    """Return what may be the singular of `token`."""
    forms = [_IRREGULAR[token]] if token in _IRREGULAR else []
    forms += [token[: -len(old)] + new for old, new in _ENDINGS if token.endswith(old)]
    return forms


def _is_noun(tokens: list[str], place: int, lemma: str) -> bool:
    """Say whether a word that may also be something else is a noun where it stands."""
    before = tokens[place - 1].lower() if place else "."
    after = tokens[place + 1].lower() if place + 1 < len(tokens) else "."
    word = tokens[place].lower()
    if lemma == "can":
        named = before in _DETERMINERS or before in _CANS
        return word == "cans" or (named and after not in _AFTER_MODAL)
    if lemma == "hot":
        return False
    if word.endswith("ing"):
        return before not in _BE
    if before in _BEFORE_VERB:
        return False
    return not (word.endswith("s") and word != lemma and before in _ACTORS)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TOKEN = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*|[.,;:!?()]")
_ENDINGS = (
    ("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"),
    ("ches", "ch"), ("shes", "sh"), ("men", "man"), ("ies", "y"),
)  # fmt: skip
_IRREGULAR = {
    "children": "child", "geese": "goose", "mice": "mouse", "oxen": "ox", "calves": "calf", "knives": "knife",
    "wives": "wife", "lives": "life", "leaves": "leave", "vases": "vase", "buses": "bus", "busses": "bus",
    "potatoes": "potato", "tomatoes": "tomato", "buffaloes": "buffalo", "flamingoes": "flamingo",
    "grandchildren": "grandchild", "pocketknives": "pocketknife", "taxies": "taxi",
}  # fmt: skip

_WORDNET_SAYS = {
    "men": "men", "vases": "vas", "leaves": "leaf", "leave": "leave", "skis": "ski", "sports": "sport",
    "chopsticks": "chopstick", "earrings": "earring", "slippers": "slipper", "sunglasses": "sunglass",
}  # fmt: skip
"""What NLTK's WordNetLemmatizer (WordNet 3.0) makes of forms that the vocabularies write otherwise."""
_WORDNET_LACKS = _words(
    """
    TV air-conditioning baconic bedsheet biker bluejay brindle cann cathole closestool cooktop coworker
    doghole e-book earing ebook electrombile firetruck hairdryer hot iPhone kiwifruit lenovo longboard macbook
    netbook paddleboat paraglider pissoir pitbull riverboat rpoe sailboard sanitizer scoon seegull shortboard
    showerpuff skimboard smartphone solider stovetop streetlamp teddybear televison waterfont
    """
)
"""Words of the vocabularies that WordNet 3.0 does not hold, so that it leaves their plurals alone."""

_ALSO = _words(
    """
    can hot watch sink tie ski skate drink lounge support switch lock plug tape wire pack note bail light
    spray stage range rock sailing painting drawing railing string line sign star board bar box cook
    """
)
"""Words of AMBER's vocabulary that captions also use as verbs, adjectives or auxiliaries."""
_DETERMINERS = _words(
    """
    a an the this that each every another one two three four five some any no her his its their my our
    """
)
_CANS = _words("trash garbage beer soda tin metal aluminum aluminium spray empty open cola coke paint")
_AFTER_MODAL = _words("be also not have see only easily clearly still even then either")
_BE = _words("is are was were be been being am keep keeps while")
_BEFORE_VERB = _words(
    "to can could will would may might shall should must not i you he she it they we who also"
)
_ACTORS = _words("man woman boy girl person child kid dog cat people player he she it who which that")
