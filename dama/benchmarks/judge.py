"""A judge behind an OpenAI-compatible endpoint, asked by several threads within a budget.

The endpoint tries again what may pass. Every reply goes into the transcript before it counts, and what
the transcript holds is not asked again, so the same command goes on after any end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

from dama.benchmarks.asking import Asked, Replies, Reply, Turn
from dama.benchmarks.transcript import Transcript
from dama.errors import BudgetSpent, JudgeError
from dama.serving.endpoint import Asking, Endpoint, RefusedRequest
from dama.spec.judge import JudgeSpec


class Budget:
    """Requests, tokens and money spent in this process, against what the spec allows.

    Tokens and cost are known once a reply is there, so they can be passed by what is under way then: at most
    one reply a thread.
    """

    def __init__(self, spec: JudgeSpec) -> None:
        self._spec, self._lock = spec, threading.Lock()
        self.requests = self.tokens = 0
        self.cost = 0.0

    def admit(self) -> None:
        """Count a request that is about to be sent; BudgetSpent when there is nothing left for it."""
        spec = self._spec
        with self._lock:
            for spent, limit, name in (
                (self.requests, spec.max_requests, "requests"),
                (self.tokens, spec.max_tokens, "tokens"),
                (self.cost, spec.max_cost, "cost"),
            ):
                if limit is not None and spent >= limit:
                    raise BudgetSpent(
                        f"the judge's budget is spent: {self.requests} requests, {self.tokens} tokens, "
                        f"cost {self.cost:.4g} (max_{name} is {limit:g})"
                    )
            self.requests += 1

    def spend(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Count what a reply took."""
        with self._lock:
            self.tokens += prompt_tokens + completion_tokens
            self.cost += cost(self._spec, prompt_tokens, completion_tokens)


def cost(spec: JudgeSpec, prompt_tokens: int, completion_tokens: int) -> float:
    """Return what so many tokens cost, in the currency of the spec's prices (per million tokens)."""
    return (prompt_tokens * spec.prompt_price + completion_tokens * spec.completion_price) / 1e6


def asking_judge(spec: JudgeSpec, place: str) -> Asking:
    """Return what errors say of asking this judge; its replies are kept in `place`."""
    return Asking(
        f"judge {spec.model}",
        JudgeError,
        where="the judge's model or base_url",
        again=f"run the same command again: what was replied is kept in {place}",
        keyless="key_env: null, or --judge-key ''",
    )


class Judge:
    """Asks the spec's model; replies are kept in `transcript`."""

    def __init__(
        self, spec: JudgeSpec, transcript: Transcript, advance: Callable[[int], None] = lambda count: None
    ) -> None:
        """Connect to nothing yet; `advance` is called when a question is done with."""
        self._spec, self._transcript, self._advance = spec, transcript, advance
        self._endpoint = Endpoint(spec, asking_judge(spec, transcript.place))
        self._stop = threading.Event()
        known = spec.prompt_price or spec.completion_price
        self.prices: tuple[float, float] | None = (
            (spec.prompt_price, spec.completion_price) if known else None
        )
        self.budget = Budget(spec)

    def ask(self, benchmark: str, ids: Sequence[str], turn: Turn) -> Replies:
        """Ask about every question, `concurrency` at a time; the first error stops all threads.

        A judge is asked once: its connections are closed at the end.
        """
        with (
            closing(self._endpoint),
            ThreadPoolExecutor(self._spec.concurrency, thread_name_prefix="judge") as pool,
        ):
            futures = {id: pool.submit(self._about, benchmark, id, turn) for id in ids}
            try:
                return {id: future.result() for id, future in futures.items()}
            except _StoppedElsewhere:
                raise next(
                    error
                    for future in futures.values()
                    if not future.cancelled()
                    and (error := future.exception()) is not None
                    and not isinstance(error, _StoppedElsewhere)
                ) from None
            except BudgetSpent as error:
                raise BudgetSpent(
                    str(error),
                    do=f"raise the budget and run the same command: what was replied is kept in "
                    f"{self._transcript.place}",
                ) from None
            finally:
                self._stop.set()
                pool.shutdown(cancel_futures=True)

    def _about(self, benchmark: str, id: str, turn: Turn) -> tuple[Reply, ...]:
        """Return all replies about one question."""
        replies: tuple[Reply, ...] = ()
        counts: dict[str, int] = {}
        try:
            while (asked := turn(id, tuple(reply.text for reply in replies))) is not None:
                if self._stop.is_set():
                    raise _StoppedElsewhere
                key = asked.digest()
                nth = counts.get(key, 0)
                counts[key] = nth + 1
                replies = (*replies, self._reply(benchmark, id, asked, nth))
        except BaseException:
            self._stop.set()
            raise
        self._advance(1)
        return replies

    def _reply(self, benchmark: str, id: str, asked: Asked, nth: int) -> Reply:
        kept = self._transcript.reply(benchmark, id, asked, nth, self._spec.model)
        if kept is not None:
            return kept
        self.budget.admit()
        reply = self._asked(asked)
        self.budget.spend(reply.prompt_tokens, reply.completion_tokens)
        self._transcript.write(benchmark, id, asked, self._spec.model, reply)
        return reply

    def _asked(self, asked: Asked) -> Reply:
        messages = [{"role": role, "content": content} for role, content in asked.messages]
        try:
            said = self._endpoint.complete(
                messages, temperature=asked.temperature, max_tokens=asked.max_tokens
            )
        except RefusedRequest as error:
            raise JudgeError(str(error), do="choose another model") from error
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return Reply(said.text, said.model, now, said.prompt_tokens, said.completion_tokens)


class _StoppedElsewhere(Exception):
    """Another thread met the error that counts."""
