"""Facts by rules: lists and markdown are taken apart, what remains is cut into sentences.

No model and no download: what a laptop uses, and what a language model's splitter falls back on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sentencex import segment

from dama.records import Facts, Preference
from dama.spec.hardness import RuleFacts

_ITEM = re.compile(r"^(?:[-*+•‣◦–—]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s+")
_HEADING = re.compile(r"^#{1,6}\s+|^>+\s*")
_RULE = re.compile(r"^(?:[-*_=~`|:]\s*){3,}\w*$")
_EMPHASIS = re.compile(r"(\*\*|__|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)|`+)")


class RuleSplitter:
    """Sentences of a response as its facts."""

    def __init__(self, spec: RuleFacts) -> None:
        self._language, self._longest = spec.language, spec.max_characters

    def split(self, items: Iterable[Preference]) -> Iterator[Facts]:
        """Yield the facts of every preference.

        Flags: `chosen:cut`, `rejected:cut` for a response over `max_characters`; `chosen:no-facts`,
        `rejected:no-facts` where nothing but marks was found and the whole response stands as its one fact.
        """
        for item in items:
            chosen, chosen_flags = self.facts(item.chosen)
            rejected, rejected_flags = self.facts(item.rejected)
            flags = [f"chosen:{flag}" for flag in chosen_flags] + [
                f"rejected:{flag}" for flag in rejected_flags
            ]
            yield Facts(item.id, chosen, rejected, tuple(flags))

    def facts(self, response: str) -> tuple[tuple[str, ...], list[str]]:
        """Return the facts of one response, at least one, and its flags without their side."""
        flags = []
        if len(response) > self._longest:
            response = response[: self._longest]
            flags.append("cut")
        found = facts_of(response, self._language)
        if not found:
            found = (response.strip() or response,)
            flags.append("no-facts")
        return found, flags


def facts_of(response: str, language: str = "en") -> tuple[str, ...]:
    """Return the sentences of a response, without bullets and markdown marks; empty if there are none."""
    facts = []
    for block in _blocks(response):
        for sentence in segment(language, block):
            fact = " ".join(_unmarked(sentence).split())
            if any(map(str.isalpha, fact)):
                facts.append(fact)
    return tuple(facts)


def _blocks(response: str) -> Iterator[str]:
    """Yield runs of lines that belong together: a list item, a heading, a paragraph's wrapped lines."""
    block: list[str] = []
    for raw in response.splitlines():
        line = raw.strip()
        plain = _unmarked(line)
        bare = _bare(plain)
        if block and (not bare or bare != plain or not bare[0].islower()):
            yield " ".join(block)
            block = []
        # A line that starts in lower case goes on with the sentence above; any other starts anew.
        if bare and not _RULE.match(line):
            block.append(bare)
    if block:
        yield " ".join(block)


def _bare(line: str) -> str:
    """Drop the heading's or the list item's mark in front of a line."""
    return _ITEM.sub("", _HEADING.sub("", line)).strip()


def _unmarked(text: str) -> str:
    return _EMPHASIS.sub("", text)
