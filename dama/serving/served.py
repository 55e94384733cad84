"""Conversations with a model at an endpoint, several under way at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing
from typing import Any

from dama.serving.chat import Messages, Said
from dama.serving.endpoint import Asking, Endpoint, RefusedRequest
from dama.spec.endpoint import EndpointPart

_SEED = 0


class ServedChat:
    """A model at an endpoint, asked greedily with a fixed seed (`dama.serving.chat.Chat`).

    How far equal conversations get equal replies is up to the server.
    """

    def __init__(self, spec: EndpointPart, asking: Asking) -> None:
        """Connect to nothing yet."""
        self._spec, self._asking = spec, asking
        self._takes_schemas = True

    def ask(
        self, conversations: Sequence[Messages], *, reply_tokens: int, schema: Mapping[str, Any] | None = None
    ) -> list[Said]:
        """Return one reply a conversation, in order; the first one that gets none for good stops all.

        A request that the endpoint will not have counts as refused, unless it will have none of them: then
        the asking's error says what it said.
        """
        endpoint = Endpoint(self._spec, self._asking)

        def said(messages: Messages) -> Said | RefusedRequest:
            try:
                return self._said(endpoint, messages, reply_tokens, schema)
            except RefusedRequest as refused:
                return refused

        with (
            closing(endpoint),
            ThreadPoolExecutor(self._spec.concurrency, thread_name_prefix="asking") as pool,
        ):
            futures = [pool.submit(said, messages) for messages in conversations]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            except BaseException:
                endpoint.stop()
                pool.shutdown(cancel_futures=True)
                raise
            replies = [future.result() for future in futures]
        refusals = [reply for reply in replies if isinstance(reply, RefusedRequest)]
        if refusals and len(refusals) == len(replies):
            raise self._asking.error(
                f"{refusals[0]} (as it does all {len(replies)})",
                do=f"mend {self._asking.where}, or ask for less: shorter texts, fewer tokens of reply",
            )
        return [Said("", "refused") if isinstance(reply, RefusedRequest) else reply for reply in replies]

    def close(self) -> None:
        """Nothing is held between questions."""

    def _said(
        self, endpoint: Endpoint, messages: Messages, tokens: int, schema: Mapping[str, Any] | None
    ) -> Said:
        settings: dict[str, Any] = {"temperature": 0.0, "max_tokens": tokens, "seed": _SEED}
        if schema is not None and self._takes_schemas:
            try:
                reply = endpoint.complete(messages, **settings, schema=schema)
            except RefusedRequest:
                # The endpoint may not know response_format, or not this schema: then it will have the rest.
                reply = endpoint.complete(messages, **settings)
                self._takes_schemas = False
        else:
            reply = endpoint.complete(messages, **settings)
        return Said(reply.text, "length" if reply.cut else "stop")
