"""Responses to facts by vLLM's offline engine: all in one batch, against one request at a time.

    python tests/bench/splitting.py [--responses 256] [--repeats 3]

The same engine, the same tiny Llama with random weights (two layers, a token a byte), the same instruction
and schema. The model never ends its list, so every reply has as many tokens as it may have and both ways
generate as much, which is checked. One request at a time may keep the engine's prefix cache from one to the
next, so that the instruction, which they share, is read once by either way.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from table import Target, heading, interleaved, ratios, spread, table

from dama.hardness.instruction import facts_messages, reply_schema
from dama.serving.chat import Messages, Said
from dama.serving.vllm import OfflineChat

sys.path.append(str(Path(__file__).parent.parent))
from tiny_llama import write_tiny_llama

FASTER = Target("least", 8.0)
CONTEXT = 4096
MAX_FACTS = 64


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--responses", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=32, help="tokens of a reply")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args(argv)
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "4")
    with tempfile.TemporaryDirectory(prefix="dama-bench-") as place:
        folder = write_tiny_llama(Path(place), context=CONTEXT)
        chat = OfflineChat(folder, context_tokens=CONTEXT, dtype="float32")
        _measure(chat, asked)
        chat.close()


def _measure(chat: OfflineChat, asked: argparse.Namespace) -> None:
    talks = [
        facts_messages("What is in the picture?", f"A dog and {number} cats sit on a {number % 9} mat.")
        for number in range(asked.responses)
    ]
    heading(
        "Responses to facts: one batch, against one request at a time",
        f"{asked.responses} responses, {asked.tokens} tokens of reply each, fp32; {asked.repeats} repeats in "
        "turn after eight responses to warm up",
    )
    replies: dict[str, list[Said]] = {}

    def batch() -> float:
        started = time.perf_counter()
        replies["batch"] = _ask(chat, talks, asked.tokens)
        return time.perf_counter() - started

    def one() -> float:
        started = time.perf_counter()
        with _cache_kept(chat):
            replies["one"] = [said for talk in talks for said in _ask(chat, [talk], asked.tokens)]
        return time.perf_counter() - started

    _ask(chat, talks[:8], asked.tokens)
    found = interleaved({"one batch": batch, "one at a time": one}, asked.repeats)
    same = sum(a == b for a, b in zip(replies["batch"], replies["one"], strict=True))
    if {said.ended for way in replies.values() for said in way} != {"length"}:
        raise SystemExit("some replies ended by themselves: the two ways did not do the same work")
    table(
        ["way", "s", "responses/s"],
        [
            [name, spread(seconds), spread([asked.responses / s for s in seconds], 1)]
            for name, seconds in found.items()
        ],
    )
    faster = ratios(found["one at a time"], found["one batch"])
    table(["", "ratio", ""], [["times faster", spread(faster), FASTER.verdict(faster)]])
    print(f"{same} of {asked.responses} replies are the same to the letter both ways.")


def _ask(chat: OfflineChat, talks: Sequence[Messages], tokens: int) -> list[Said]:
    return chat.ask(talks, reply_tokens=tokens, schema=reply_schema(MAX_FACTS))


class _cache_kept:
    """Within it, the prefix cache lasts from one call to the next, which our engine forbids itself."""

    def __init__(self, chat: OfflineChat) -> None:
        self._llm = chat._llm

    def __enter__(self) -> None:
        self._llm.reset_prefix_cache = lambda: True

    def __exit__(self, *_: object) -> None:
        del self._llm.reset_prefix_cache
        self._llm.reset_prefix_cache()


if __name__ == "__main__":
    main()
