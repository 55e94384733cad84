"""What the tiny splitter is taught."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from dama.benchmarks.mentions import Mention, caption, parse
from dama.demo.lessons import lessons
from dama.hardness.rules import facts_of

SEEN = list(islice(lessons(0), 2000))
RING = Mention("top", "left", "big", "black", "ring")
STAR = Mention("middle", "right", "small", "red", "star")


def test_the_same_seed_gives_the_same_lessons() -> None:
    assert list(islice(lessons(0), 50)) == SEEN[:50]
    assert list(islice(lessons(1), 50)) != SEEN[:50]


def test_the_facts_of_a_caption_are_its_mentions_one_each() -> None:
    assert facts_of(caption([RING, STAR, RING])) == tuple(one.sentence() for one in (RING, STAR, RING))
    wellformed = [lesson for lesson in SEEN if None not in parse(lesson.response)]
    assert len(wellformed) > 1000
    for lesson in wellformed:
        mentions = [mention.sentence() for mention in parse(lesson.response) if mention is not None]
        assert list(lesson.facts) == mentions


def test_lessons_have_one_to_eight_sentences_some_repeated_some_malformed_some_cut_off() -> None:
    counts = Counter(len(lesson.facts) for lesson in SEEN)
    assert counts.keys() == set(range(1, 9))
    assert sum(len(set(lesson.facts)) < len(lesson.facts) for lesson in SEEN) > 100
    assert sum(None in parse(lesson.response) for lesson in SEEN) > 300
    assert sum(not lesson.response.endswith(".") for lesson in SEEN) > 50


def test_facts_are_the_rules_in_the_responses_own_words() -> None:
    for lesson in SEEN:
        assert lesson.facts == facts_of(lesson.response)
        assert all(fact in lesson.response for fact in lesson.facts)
