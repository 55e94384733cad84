"""Facts by a language model: every response asked about once, rules where no reply can be read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

from dama.hardness.instruction import facts_messages, reply_schema
from dama.hardness.reply import facts_of_reply
from dama.hardness.rules import RuleSplitter
from dama.records import Facts, Preference
from dama.serving.chat import Chat, Said
from dama.spec.hardness import AskedFacts, RuleFacts

log = logging.getLogger(__name__)

FALLBACK = "fallback"
"""Flag of a response whose facts are the rules', for no reply about it could be read."""
MANY = 0.05
"""Share of responses that fell back on rules above which a person is told."""
_Sides = tuple[tuple[str, str, list[str]], tuple[str, str, list[str]]]
"""Of chosen and rejected: question and response as they are asked about, and flags of what was cut."""


class AskedSplitter:
    """Facts of responses as a language model states them, all of a call asked at once.

    Equal (question, response) are asked about once. Flags, after `chosen:` or `rejected:`: `cut` for a
    response over `max_characters`, `question-cut` for such a question, `fallback` where rules took over,
    `no-facts` where they found nothing but marks. A response without a letter or digit is left to the rules.
    """

    def __init__(self, spec: AskedFacts, open_chat: Callable[[], Chat]) -> None:
        """Open nothing yet; `open_chat` is called when there is something to ask."""
        self._spec, self._open = spec, open_chat
        self._chat: Chat | None = None
        self._told = False
        self._rules = RuleSplitter(RuleFacts(language=spec.language, max_characters=spec.max_characters))

    def split(self, items: Iterable[Preference]) -> Iterator[Facts]:
        """Yield the facts of every preference, in order."""
        preferences = [(item.id, self._sides(item)) for item in items]
        found = self._asked(dict.fromkeys(side[:2] for _, sides in preferences for side in sides))
        for id, sides in preferences:
            facts, flags = [], []
            for name, (question, response, cut) in zip(("chosen", "rejected"), sides, strict=True):
                stated, marks = found.get((question, response)) or self._rules.facts(response)
                facts.append(stated)
                flags += [f"{name}:{mark}" for mark in (*cut, *marks)]
            yield Facts(id, facts[0], facts[1], tuple(flags))

    def close(self) -> None:
        """Give back what the model holds."""
        if self._chat is not None:
            self._chat.close()
            self._chat = None

    def _sides(self, item: Preference) -> _Sides:
        longest = self._spec.max_characters
        question_cut = ["question-cut"] if len(item.prompt) > longest else []

        def side(response: str) -> tuple[str, str, list[str]]:
            cut = ["cut"] if len(response) > longest else []
            return item.prompt[:longest], response[:longest], cut + question_cut

        return side(item.chosen), side(item.rejected)

    def _asked(
        self, responses: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], tuple[tuple[str, ...], list[str]]]:
        """Return facts and flags of every (question, response) that there is something to ask about."""
        asked = [pair for pair in responses if any(map(str.isalnum, pair[1]))]
        if not asked:
            return {}
        if self._chat is None:
            self._chat = self._open()
        replies = self._chat.ask(
            [facts_messages(question, response) for question, response in asked],
            reply_tokens=self._spec.reply_tokens,
            schema=reply_schema(self._spec.max_facts),
        )
        found = {pair: self._read(pair[1], reply) for pair, reply in zip(asked, replies, strict=True)}
        self._tell_early([flags for _, flags in found.values()])
        return found

    def _tell_early(self, flags: Sequence[Sequence[str]]) -> None:
        """Say at once when a model does not do what it is told, not after 300,000 facts."""
        count = sum(FALLBACK in marks for marks in flags)
        if not self._told and 2 * count > len(flags):
            log.warning(
                "of the first %d responses asked about, %d got no reply that can be read; rules split them",
                len(flags),
                count,
            )
        self._told = True

    def _read(self, response: str, reply: Said) -> tuple[tuple[str, ...], list[str]]:
        facts = facts_of_reply(reply.text, self._spec.max_facts) if reply.ended == "stop" else None
        if facts is not None:
            return facts, []
        log.debug("no facts in the reply to %r (%s): %r", response, reply.ended, reply.text)
        stated, flags = self._rules.facts(response)
        return stated, [FALLBACK, *flags]


def many_fell_back(flags: dict[str, int], preferences: int) -> str | None:
    """Return what to tell a person when many responses fell back on rules, by a dataset's counts of flags."""
    count = sum(flags.get(f"{side}:{FALLBACK}", 0) for side in ("chosen", "rejected"))
    share = count / max(1, 2 * preferences)
    if share <= MANY:
        return None
    return (
        f"{count:,} of {2 * preferences:,} responses ({100 * share:.0f} %) were split by rules, for the "
        "language model's reply could not be read: look at those flagged `fallback`, choose another model "
        "or raise hardness.facts.reply_tokens"
    )
