"""The judge's prompts and replies, kept as JSONL, and scored again from there without asking.

One line a reply: benchmark, id, asked (model that was asked for), messages, temperature, max_tokens, reply,
model, date, prompt_tokens, completion_tokens. A line is written as soon as its reply is there, so that what
was paid for is not lost.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dama.benchmarks.asking import Asked, Replies, Reply, Turn
from dama.errors import DataError, JudgeError


class Transcript:
    """A file of replies that grows; what it holds already need not be asked again."""

    def __init__(self, path: Path, place: str | None = None) -> None:
        """Read what the file holds; `place` is where people find it, where that is not `path`."""
        self.path, self.place = path, place or str(path)
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str, str], list[tuple[str, Reply]]] = {}
        if path.exists():
            whole = path.read_bytes()
            complete = whole[: whole.rfind(b"\n") + 1]
            if complete != whole:  # killed while it wrote: the last line was never finished
                path.write_bytes(complete)
            for number, line in enumerate(complete.decode("utf-8").splitlines(), start=1):
                self._keep(_parsed(self.place, number, line))

    def reply(
        self, benchmark: str, id: str, asked: Asked, nth: int, model: str | None = None
    ) -> Reply | None:
        """Return the `nth` reply (from 0) to the very same prompt, None when there is none.

        With `model`, only replies count that this model was asked for.
        """
        kept = self._kept.get((benchmark, id, asked.digest()), [])
        fitting = [reply for name, reply in kept if model is None or name == model]
        return fitting[nth] if nth < len(fitting) else None

    def write(self, benchmark: str, id: str, asked: Asked, model: str, reply: Reply) -> None:
        """Add a reply, at once; any thread may call this."""
        row = {
            "benchmark": benchmark,
            "id": id,
            "asked": model,
            "messages": [list(message) for message in asked.messages],
            "temperature": asked.temperature,
            "max_tokens": asked.max_tokens,
            "reply": reply.text,
            "model": reply.model,
            "date": reply.date,
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
        }
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            self._keep(row)

    def _keep(self, row: dict[str, Any]) -> None:
        asked = Asked(
            tuple((str(role), str(content)) for role, content in row["messages"]),
            row["temperature"],
            row["max_tokens"],
        )
        reply = Reply(
            row["reply"], row["model"], row["date"], row["prompt_tokens"], row["completion_tokens"]
        )  # fmt: skip
        key = (row["benchmark"], row["id"], asked.digest())
        self._kept.setdefault(key, []).append((row["asked"], reply))


class KeptReplies:
    """A judge that is not asked: replies come from a transcript, for the very same prompts only.

    With `partial`, questions without a kept reply are left out; otherwise they are an error that names them.
    """

    prices: tuple[float, float] | None = None

    def __init__(self, transcript: Transcript, *, partial: bool = False) -> None:
        self._transcript, self._partial = transcript, partial

    def ask(self, benchmark: str, ids: Sequence[str], turn: Turn) -> Replies:
        """Return the kept replies of every question."""
        found: Replies = {}
        lacking = []
        for id in ids:
            replies: tuple[Reply, ...] = ()
            counts: dict[str, int] = {}
            while (asked := turn(id, tuple(reply.text for reply in replies))) is not None:
                nth = counts.get(asked.digest(), 0)
                reply = self._transcript.reply(benchmark, id, asked, nth)
                if reply is None:
                    break
                counts[asked.digest()] = nth + 1
                replies = (*replies, reply)
            if asked is not None and not replies:
                lacking.append(id)
            else:
                found[id] = replies
        if lacking and not self._partial:
            raise no_reply(benchmark, lacking, self._transcript.place)
        return found


class RepliesById:
    """A judge that is not asked: replies by question, as the benchmarks' own scripts keep them.

    Such files do not hold the prompts, so nothing says that they judge these very answers.
    """

    prices: tuple[float, float] | None = None

    def __init__(self, replies: Replies, place: str, *, partial: bool = False) -> None:
        self._replies, self._place, self._partial = replies, place, partial

    def ask(self, benchmark: str, ids: Sequence[str], turn: Turn) -> Replies:
        """Return the replies of every question, as many as its turns take."""
        found: Replies = {}
        lacking = []
        for id in ids:
            kept = self._replies.get(id, ())
            used: tuple[Reply, ...] = ()
            while turn(id, tuple(reply.text for reply in used)) is not None and len(used) < len(kept):
                used = kept[: len(used) + 1]
            if not used and turn(id, ()) is not None:
                lacking.append(id)
            else:
                found[id] = used
        if lacking and not self._partial:
            raise no_reply(benchmark, lacking, self._place)
        return found


def no_reply(benchmark: str, ids: Sequence[str], place: str) -> JudgeError:
    """Return the error for questions that no kept reply is there for."""
    named = ", ".join(ids[:3]) + (", …" if len(ids) > 3 else "")
    return JudgeError(
        f"{benchmark}: {place} holds no reply about {len(ids)} questions ({named})",
        wanted="replies to these answers, asked with the same prompt",
        do="ask the judge again, or score what is there (`dama score --allow-partial`)",
    )


def _parsed(place: str, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
        Reply(row["reply"], row["model"], row["date"], row["prompt_tokens"], row["completion_tokens"])
        [(role, content) for role, content in row["messages"]]
        row["benchmark"], row["id"], row["asked"], row["temperature"], row["max_tokens"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"replies {place}, line {number}: not a judge's reply ({type(error).__name__}: {error})",
            wanted="the replies-*.jsonl of an earlier scoring",
        ) from error
    return dict(row)
