"""A benchmark whose answers are judged: the replies, and the result that they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dama.benchmarks.asking import Asker, Replies, Turn
from dama.benchmarks.base import Benchmark, Mode, answers_digest
from dama.benchmarks.tally import Shown, Tally
from dama.errors import JudgeError
from dama.records import BenchmarkResult


@dataclass(frozen=True)
class Judged:
    """All replies of a benchmark's judge, and what they say of the judging itself."""

    replies: Replies
    prices: tuple[float, float] | None = None

    def texts(self, id: str) -> tuple[str, ...]:
        """Return what was replied to one question."""
        return tuple(reply.text for reply in self.replies[id])

    def models(self) -> str:
        """Return the names the judge gave itself."""
        return ", ".join(sorted({reply.model for replies in self.replies.values() for reply in replies}))

    def took(self) -> dict[str, Any]:
        """Return requests, tokens and (where prices are known) cost of all replies, kept ones included."""
        flat = [reply for replies in self.replies.values() for reply in replies]
        prompts = sum(reply.prompt_tokens for reply in flat)
        completions = sum(reply.completion_tokens for reply in flat)
        took = {"requests": len(flat), "prompt_tokens": prompts, "completion_tokens": completions}
        if self.prices is None:
            return took
        return {**took, "cost": round((prompts * self.prices[0] + completions * self.prices[1]) / 1e6, 6)}


def ask(asker: Asker | None, benchmark: str, ids: Sequence[str], turn: Turn) -> Judged:
    """Return what `asker` replied; JudgeError when there is none."""
    if asker is None:
        raise JudgeError(
            f"{benchmark} is scored by a judge, and none is given",
            wanted="a model to ask, or the replies of one that was asked before",
            do="write a judge part into the run file, or give --judge-model or --replies",
        )
    return Judged(asker.ask(benchmark, ids, turn), asker.prices)


def judged_result(
    benchmark: Benchmark,
    mode: Mode,
    texts: dict[str, str],
    judged: Judged,
    tallies: Mapping[Mode, Tally[Any]],
    shown: Mapping[str, Shown],
    n: Mapping[str, int],
    *,
    asked: int,
    unread: Sequence[str],
    details: Mapping[str, object],
) -> BenchmarkResult:
    """Return the result of replies; JudgeError when not one of them could be read.

    `asked` is the number of the benchmark's questions, `unread` names those whose replies nobody can read.
    """
    replied = len(judged.replies)
    if len(unread) == replied:
        raise JudgeError(
            f"{benchmark.name}: of {replied} replies none can be read",
            wanted="replies in the form that the prompt asks for",
            do="look at the kept replies, then choose another judge",
        )
    return BenchmarkResult(
        benchmark.name,
        benchmark.version,
        tallies[mode].measures(shown, n),
        answers_digest(texts),
        benchmark.data_digest,
        details={**details, "unreadable_ids": list(unread[:20]), **judged.took()},
        mode=mode,
        official=tallies["official"].measures(shown, n, resamples=0),
        n=replied,
        missing=asked - replied,
        unreadable=len(unread),
        judge=judged.models(),
    )
