"""A judge behind an OpenAI-compatible endpoint, asked by several threads within a budget.

The client is the `openai` package (extra `judge`); it retries what may pass (429, 5xx, time-outs, lost
connections) with growing, jittered pauses. Every reply goes into the transcript before it counts, and what
the transcript holds is not asked again, so the same command goes on after any end.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dama.benchmarks.asking import Asked, Replies, Reply, Turn
from dama.benchmarks.transcript import Transcript
from dama.errors import BudgetSpent, DamaError, JudgeError, ToolMissing
from dama.spec.judge import JudgeSpec

if TYPE_CHECKING:
    from openai import OpenAI


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


class Judge:
    """Asks the spec's model; replies are kept in `transcript`."""

    def __init__(
        self, spec: JudgeSpec, transcript: Transcript, advance: Callable[[int], None] = lambda count: None
    ) -> None:
        """Connect to nothing yet; `advance` is called when a question is done with."""
        self._spec, self._transcript, self._advance = spec, transcript, advance
        self._client = _client(spec)
        self._stop = threading.Event()
        known = spec.prompt_price or spec.completion_price
        self.prices: tuple[float, float] | None = (
            (spec.prompt_price, spec.completion_price) if known else None
        )
        self.budget = Budget(spec)

    def ask(self, benchmark: str, ids: Sequence[str], turn: Turn) -> Replies:
        """Ask about every question, `concurrency` at a time; the first error stops all threads."""
        self._stop.clear()
        with ThreadPoolExecutor(self._spec.concurrency, thread_name_prefix="judge") as pool:
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
                    f"{self._transcript.path}",
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
        import openai

        settings: dict[str, Any] = {}
        if asked.temperature is not None:
            settings["temperature"] = asked.temperature
        if asked.max_tokens is not None:
            settings["max_tokens"] = asked.max_tokens
        messages: Any = [{"role": role, "content": content} for role, content in asked.messages]
        try:
            said = self._client.chat.completions.create(model=self._spec.model, messages=messages, **settings)
        except openai.OpenAIError as error:
            raise self._refused(error) from error
        if not said.choices:
            raise JudgeError(
                f"judge {self._spec.model} replied without a choice", do="run the same command again"
            )
        return Reply(
            said.choices[0].message.content or "",
            str(said.model or self._spec.model),
            datetime.now(UTC).isoformat(timespec="seconds"),
            said.usage.prompt_tokens if said.usage else 0,
            said.usage.completion_tokens if said.usage else 0,
        )

    def _refused(self, error: Exception) -> DamaError:
        """Return the error for a request that failed for good."""
        import openai

        who = f"judge {self._spec.model} at {self._client.base_url}"
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            return JudgeError(f"{who} refuses the key", do=f"set {self._spec.key_env} to a valid key")
        if isinstance(error, openai.NotFoundError):
            return JudgeError(f"{who} is not there (404)", do="mend the judge's model or base_url")
        if isinstance(error, openai.BadRequestError):
            return JudgeError(f"{who} refuses the request: {error.message[:300]}", do="choose another model")
        return JudgeError(
            f"{who} does not answer after {self._spec.attempts} tries ({type(error).__name__})",
            do=f"run the same command again: what was replied is kept in {self._transcript.path}",
        )


class _StoppedElsewhere(Exception):
    """Another thread met the error that counts."""


def _client(spec: JudgeSpec) -> OpenAI:
    try:
        from openai import OpenAI
    except ImportError as error:
        raise ToolMissing("the package openai is not installed", do="pip install 'dama[judge]'") from error
    key = "none"
    if spec.key_env is not None:
        key = os.environ.get(spec.key_env, "")
        if not key:
            raise JudgeError(
                f"no key for judge {spec.model}: {spec.key_env} is not set in the environment",
                do=f"export {spec.key_env}=..., or name none where none is needed (key_env: null, or "
                "--judge-key '')",
            )
    return OpenAI(
        api_key=key,
        base_url=str(spec.base_url) if spec.base_url is not None else None,
        timeout=spec.timeout_seconds,
        max_retries=spec.attempts - 1,
    )
