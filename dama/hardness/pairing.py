"""Records of one preference brought together from several artifacts, in order, checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from dama.errors import HardnessError
from dama.hardness.cache import read_facts, read_scores
from dama.records import Facts, PairScore, Preference


def with_facts(preferences: Iterable[Preference], facts: Path) -> Iterator[tuple[Preference, Facts]]:
    """Yield preferences beside their facts; HardnessError when they do not belong together."""
    left, right = iter(preferences), read_facts(facts)
    while True:
        preference, fact = next(left, None), next(right, None)
        if preference is None and fact is None:
            return
        if preference is None or fact is None or preference.id != fact.id:
            raise _apart("preference", preference, "facts", fact, "facts")
        yield preference, fact


def with_scores(facts: Path, scores: Path) -> Iterator[tuple[Facts, PairScore]]:
    """Yield facts beside their scores, one a fact; HardnessError when they do not belong together."""
    left, right = read_facts(facts), read_scores(scores)
    while True:
        fact, score = next(left, None), next(right, None)
        if fact is None and score is None:
            return
        if fact is None or score is None or fact.id != score.id:
            raise _apart("facts", fact, "scores", score, "scores")
        if (len(fact.chosen), len(fact.rejected)) != (len(score.chosen), len(score.rejected)):
            raise HardnessError(f"preference {fact.id} has not one score a fact", do="run stage scores again")
        yield fact, score


def _apart(
    left: str, a: Preference | Facts | None, right: str, b: Facts | PairScore | None, stage: str
) -> HardnessError:
    return HardnessError(
        f"{left} of {a.id if a else 'nothing'} beside {right} of {b.id if b else 'nothing'}",
        wanted="the same preferences in the same order",
        do=f"delete the artifact of stage {stage} and run it again",
    )
