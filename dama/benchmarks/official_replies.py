"""Replies of a judge in the files that people have: dama's own, or what the official scripts write.

    dama            replies-*.jsonl, with prompts (`transcript.py`)
    MMHal-Bench     a JSON list of the API's responses, in the order of the questions
    LLaVA-Bench     JSONL, each line with question_id and content
    MM-Vet          an object from id to {model: [...], content: [...], score: [...]}, the first run counts

Of MM-Vet's file the scores are taken, for its contents are only the last reply to each question.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dama.benchmarks.asking import Asker, Replies, Reply, Turn
from dama.benchmarks.transcript import KeptReplies, RepliesById, Transcript
from dama.errors import DataError, JudgeError


class RepliesInOrder:
    """A judge that is not asked: one reply a question, in the benchmark's order."""

    prices: tuple[float, float] | None = None

    def __init__(self, replies: Sequence[Reply], place: str) -> None:
        self._replies, self._place = replies, place

    def ask(self, benchmark: str, ids: Sequence[str], turn: Turn) -> Replies:
        """Return the reply of every question; JudgeError unless there are as many as questions."""
        if len(ids) != len(self._replies):
            raise JudgeError(
                f"{benchmark}: {self._place} holds {len(self._replies)} replies in order, "
                f"and {len(ids)} questions are answered",
                wanted="one reply for each answer",
            )
        return {id: (reply,) for id, reply in zip(ids, self._replies, strict=True)}


def read_replies(benchmark: str, path: Path, *, partial: bool = False) -> Asker:
    """Return a judge that answers from `path`; DataError for a file in none of the known forms."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"replies {path} cannot be read: {error}", do="mend --replies") from error
    first = _json(text.splitlines()[0]) if text.strip() else None
    if isinstance(first, dict) and "messages" in first:
        return KeptReplies(Transcript(path), partial=partial)
    try:
        if benchmark == "mmhal":
            responses = tuple(_from_api(response) for response in json.loads(text))
            return RepliesInOrder(responses, str(path))
        found = _official(benchmark, text)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise DataError(
            f"replies {path} are in no form known for {benchmark} ({type(error).__name__}: {error})",
            wanted="the replies-*.jsonl of an earlier scoring, or what the official script writes",
        ) from error
    if not found:
        raise DataError(f"replies {path}: no reply in it", do="mend --replies")
    return RepliesById(found, str(path), partial=partial)


def _official(benchmark: str, text: str) -> Replies:
    if benchmark == "llava-bench":
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        return {str(row["question_id"]): (Reply(str(row["content"]), "", ""),) for row in rows}
    if benchmark == "mm-vet":
        return {
            str(id): (Reply(str(row["score"][0]), str((row.get("model") or [""])[0]), ""),)
            for id, row in json.loads(text).items()
        }
    raise ValueError("it keeps no replies")


def _from_api(response: dict[str, Any]) -> Reply:
    usage = response.get("usage") or {}
    return Reply(
        str(response["choices"][0]["message"]["content"]),
        str(response.get("model", "")),
        "",
        int(usage.get("prompt_tokens", 0)),
        int(usage.get("completion_tokens", 0)),
    )


def _json(line: str) -> Any:  # noqa: ANN401 - a JSON tree
    try:
        return json.loads(line)
    except ValueError:
        return None
