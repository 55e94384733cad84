"""A judge on this machine: an OpenAI-compatible server whose replies are words, or a status."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from odd_server import Act, OddServer, Refuse, Reply, odd_server

Says = Callable[[dict[str, Any], int], str | int]
"""(request, how many came before it) -> the reply's text, or an HTTP status to refuse with."""


def judge_server(says: Says) -> AbstractContextManager[OddServer]:
    """Serve until the end of the block."""

    def acts(request: dict[str, Any], before: int) -> Act:
        said = says(request, before)
        return Refuse(said, f"refused with {said}") if isinstance(said, int) else Reply(said)

    return odd_server(acts)
