"""A caption of the miniature world against what is really in its scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dama.benchmarks.mentions import Mention, parse


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one caption got right and wrong."""

    mentions: int
    """Sentences, malformed ones included."""
    false: tuple[tuple[str, str] | None, ...]
    """(colour, shape) of every hallucinated mention; None for a malformed sentence."""
    repeated: int
    """Mentions of a kind that the caption mentioned before; true or false as any other."""
    covered: int
    """Things of the scene that are mentioned."""
    things: int
    """Things of the scene."""
    placed: bool
    """Every mention is of a thing that is there, in its own cell."""


def judge(text: str, truth: Sequence[Mention]) -> Judgement:
    """Compare a caption with what is true of its scene.

    A mention is true when its colour and shape are in the scene, whatever size and place it claims.
    """
    said = parse(text)
    kinds = {mention.kind for mention in truth}
    places = {(mention.kind, mention.cell) for mention in truth}
    said_kinds = [mention.kind for mention in said if mention is not None]
    return Judgement(
        mentions=len(said),
        false=tuple(
            mention.kind if mention is not None else None
            for mention in said
            if mention is None or mention.kind not in kinds
        ),
        repeated=len(said_kinds) - len(set(said_kinds)),
        covered=sum(mention.kind in said_kinds for mention in truth),
        things=len(truth),
        placed=all(mention is not None and (mention.kind, mention.cell) in places for mention in said),
    )
