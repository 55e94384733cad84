"""A broken rule across parts of the run file."""

from __future__ import annotations

from dataclasses import dataclass

from dama.errors import Problem


@dataclass(frozen=True)
class Broken:
    """A broken rule: the problem to show and every path the rule looked at."""

    problem: Problem
    looked_at: tuple[str, ...]
