"""What the flags of a preference's facts and scores mean, for people."""

from __future__ import annotations

from collections.abc import Mapping

from dama.report.table import Cell, Table

FALLBACK = "fallback"
MEANINGS: Mapping[str, str] = {
    FALLBACK: "the language model gave no usable list; rules split this answer",
    "no-facts": "nothing but marks was found; the whole answer stands as its one fact",
    "cut": "the answer was too long for the splitter; the rest of it was left out",
    "question-cut": "the question was too long for the splitter; the rest of it was left out",
    "truncated": "a fact is longer than the CLIP model reads; its end was not scored",
    "split": "a fact is longer than the CLIP model reads; it was scored in pieces",
}


def meaning(flag: str) -> str:
    """Return what `chosen:cut`, or `cut`, says in words; empty for a flag that nobody here knows."""
    return MEANINGS.get(flag.rpartition(":")[2], "")


def flag_table(flags: Mapping[str, int], preferences: int) -> Table:
    """Return how many preferences bear each flag, the most frequent first."""
    rows = []
    for flag, count in sorted(flags.items(), key=lambda item: (-item[1], item[0])):
        side, _, name = flag.rpartition(":")
        rows.append(
            (
                Cell(name),
                Cell(side or "–", "quiet"),
                Cell(meaning(flag), "quiet"),
                Cell(f"{count:,}"),
                Cell(f"{100 * count / max(1, preferences):.1f} %", "quiet"),
            )
        )
    return Table(("flag", "answer", "meaning", "preferences", "share"), tuple(rows), words=3)
