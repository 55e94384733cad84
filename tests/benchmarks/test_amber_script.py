"""AMBER's official counts against an independent reading of its script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dama.benchmarks.amber_captions import Image, judge_caption, official_caption_figures
from dama.benchmarks.amber_questions import Reply, official_question_figures, question_figures


def script_caption(
    nouns: list[str], truth: list[str], hallu: list[str], near: set[frozenset[str]]
) -> list[int]:
    """Return nouns, false, covered, things, tempted, temptations by lists and flags, as the script does."""
    lists = []
    for things in (truth, hallu):
        others = [(word, place) for place, thing in enumerate(things) for word in RELATIONS[thing]]
        lists.append((others + [(thing, place) for place, thing in enumerate(things)], [0] * len(things)))
    (safe, safe_flags), (bad, bad_flags) = lists

    def alike(a: str, b: str) -> bool:
        return a == b or frozenset((a, b)) in near

    false = 0
    for noun in nouns:
        exact = [place for word, place in safe if word == noun]
        if exact:
            safe_flags[exact[0]] = 1
            continue
        for hits in (
            [place for word, place in bad if word == noun],
            [place for word, place in bad if alike(word, noun)],
        ):
            if hits:
                bad_flags[hits[0]] = 1
        near_safe = [place for word, place in safe if alike(word, noun)]
        if near_safe:
            safe_flags[near_safe[0]] = 1
        else:
            false += 1
    return [len(nouns), false, sum(safe_flags), len(truth), sum(bad_flags), len(hallu)]


RELATIONS = {"a": ["b", "c"], "b": ["d"], "c": [], "d": ["a", "e"], "e": []}
LETTERS = st.sampled_from("abcde")


@given(
    st.lists(LETTERS, max_size=8),
    st.lists(LETTERS, min_size=1, max_size=4),
    st.lists(LETTERS, min_size=1, max_size=3),
    st.sets(st.frozensets(LETTERS, min_size=2, max_size=2), max_size=3),
)
def test_captions_agree_with_an_independent_reading_of_the_script(
    nouns: list[str], truth: list[str], hallu: list[str], near: set[frozenset[str]]
) -> None:
    found = judge_caption(
        nouns,
        Image(tuple(truth), tuple(hallu)),
        RELATIONS,
        frozenset(),
        lambda a, b: a == b or frozenset((a, b)) in near,
        "official",
    )
    assert list(found) == script_caption(nouns, truth, hallu, near)
    figures = official_caption_figures({found: 2})
    count, false, covered, things, tempted, temptations = found
    assert figures["chair"] == round(2 * false / (0.001 + 2 * count) * 100, 1)
    assert figures["cover"] == round(2 * covered / (0.001 + 2 * things) * 100, 1)
    assert figures["cog"] == round(2 * tempted / (0.001 + 2 * temptations) * 100, 1)
    assert figures["hal"] == round(100 - (0 if false else 2) / 2.001 * 100, 1)


KINDS = st.sampled_from(["existence", "state", "number", "action", "relation"])
YES_NO = st.sampled_from(["yes", "no"])


@given(
    st.lists(st.builds(Reply, KINDS, YES_NO, st.sampled_from(["yes", "no", None])), min_size=1, max_size=40)
)
def test_questions_agree_with_an_independent_reading_of_the_script(replies: list[Reply]) -> None:
    found = official_question_figures({reply: replies.count(reply) for reply in replies})
    groups = {"": None, "existence_": {"existence"}, "attribute_": {"state", "number", "action"}}
    for prefix, kinds in groups.items():
        own = [reply for reply in replies if kinds is None or reply.kind in kinds]
        if not own:
            assert prefix + "f1" not in found
            continue
        no = [reply for reply in own if reply.truth == "no"]
        right = sum(reply.said == "no" for reply in no)
        precision = round(right / (sum(reply.said == "no" for reply in own) + 0.001) * 100, 1)
        recall = round(right / (len(no) + 0.001) * 100, 1)
        epsilon = 0.001 if prefix == "existence_" else 0.0001
        p, r = precision / 100, recall / 100
        assert found[prefix + "precision"] == precision
        assert found[prefix + "recall"] == recall
        assert found[prefix + "f1"] == round(2 * p * r / (p + r + epsilon) * 100, 1)
        assert found[prefix + "accuracy"] == round(
            sum(reply.said == reply.truth for reply in own) / (len(own) + 0.001) * 100, 1
        )
    ours = question_figures({reply: replies.count(reply) for reply in replies})
    assert ours["accuracy"] == pytest.approx(found["accuracy"], abs=0.2)
