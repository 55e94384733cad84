"""A judge whose replies a test writes down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dama.benchmarks.asking import Asked, Replies, Reply, Turn


class Said:
    """Replies by question, in the order they are asked for; what was asked is kept."""

    prices: tuple[float, float] | None = (10.0, 100.0)

    def __init__(self, replies: Mapping[str, str | Sequence[str]]) -> None:
        self._replies = {
            id: (said,) if isinstance(said, str) else tuple(said) for id, said in replies.items()
        }
        self.asked: dict[str, list[Asked]] = {}

    def ask(self, benchmark: str, ids: Sequence[str], turn: Turn) -> Replies:
        """Return the replies of every question, as many as are asked for."""
        found: Replies = {}
        for id in ids:
            said: tuple[str, ...] = ()
            while (asked := turn(id, said)) is not None:
                self.asked.setdefault(id, []).append(asked)
                said = self._replies[id][: len(said) + 1]
            found[id] = tuple(Reply(text, "a-judge", "", 100, 10) for text in said)
        return found
