"""An OpenAI-compatible endpoint: one completion at a time, what may pass tried again, the rest told.

The client is the `openai` package (extra `judge`); it tries again what may pass (429, 5xx, time-outs, lost
connections, half a body) with growing, jittered pauses, and waits as long as the server asks. A body that is
no completion is tried again here.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dama.errors import DamaError, ToolMissing
from dama.serving.chat import Messages
from dama.spec.endpoint import EndpointPart

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import ChatCompletion

_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE = 8.0


class RefusedRequest(Exception):
    """The endpoint will not have this request (400, 413, 422); its words are the message."""


@dataclass(frozen=True)
class Asking:
    """Who asks whom for what, so that errors speak of it."""

    who: str
    """The one that is asked, as in "judge gpt-4o"."""
    error: type[DamaError]
    """What is raised."""
    where: str = "its model or base_url"
    """What to mend when nothing is there."""
    again: str = "run the same command again"
    """What to do when it did not answer."""
    keyless: str = "key_env: null"
    """How to say that no key is needed."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A reply, which model it says it is, and what it took."""

    text: str
    model: str
    cut: bool = False
    """Whether it ended at `max_tokens`."""
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Endpoint:
    """A model at an endpoint; any thread may ask."""

    def __init__(self, spec: EndpointPart, asking: Asking) -> None:
        """Connect to nothing yet; ToolMissing without the client, the asking's error without the key."""
        self._spec, self._asking = spec, asking
        self._client = _client(spec, asking)
        self._stop = threading.Event()

    def complete(
        self,
        messages: Messages,
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> Completion:
        """Return the reply to one conversation; settings that are None are the endpoint's own.

        Raises RefusedRequest for what this endpoint never answers, and the asking's error when it does not
        answer after all tries.
        """
        settings: dict[str, Any] = {"temperature": temperature, "max_tokens": max_tokens, "seed": seed}
        settings = {name: value for name, value in settings.items() if value is not None}
        if schema is not None:
            shape = {"name": "reply", "schema": dict(schema)}
            settings["response_format"] = {"type": "json_schema", "json_schema": shape}
        said = self._whole_reply(messages, settings)
        text = said.choices[0].message.content
        return Completion(
            text if isinstance(text, str) else "",
            str(said.model or self._spec.model),
            said.choices[0].finish_reason == "length",
            said.usage.prompt_tokens if said.usage else 0,
            said.usage.completion_tokens if said.usage else 0,
        )

    def stop(self) -> None:
        """Let no thread wait for another try: somebody met the error that counts."""
        self._stop.set()

    def close(self) -> None:
        """Close its connections; nothing can be asked any more."""
        self._client.close()

    def _whole_reply(self, messages: Messages, settings: Mapping[str, Any]) -> ChatCompletion:
        import openai

        asked: Any = [dict(message) for message in messages]
        for attempt in range(self._spec.attempts):
            try:
                said: ChatCompletion = self._client.chat.completions.create(
                    model=self._spec.model, messages=asked, **settings
                )
            except openai.OpenAIError as error:
                raise self._told(error) from error
            except ValueError:  # a body that is no JSON: some proxy's page, or the server is going down
                pass
            else:
                if _is_completion(said):
                    return said
            if attempt + 1 < self._spec.attempts:
                pause = min(_PAUSE_SECONDS * 2**attempt, _LONGEST_PAUSE)
                self._stop.wait(pause * (1 - random.random() / 4))
        raise self._silent("what came back was no completion")

    def _told(self, error: Exception) -> Exception:
        """Return the error for a request that failed for good."""
        import openai

        who = f"{self._asking.who} at {self._client.base_url}"
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            do = (
                f"set {self._spec.key_env} to a valid key"
                if self._spec.key_env
                else "name its key in key_env"
            )
            return self._asking.error(f"{who} refuses the key", do=do)
        if isinstance(error, openai.NotFoundError):
            return self._asking.error(f"{who} is not there (404)", do=f"mend {self._asking.where}")
        if isinstance(error, openai.APIStatusError) and error.status_code in (400, 413, 422):
            return RefusedRequest(f"{who} refuses the request: {error.message[:300]}")
        return self._silent(type(error).__name__)

    def _silent(self, why: str) -> DamaError:
        tries = self._spec.attempts
        who = f"{self._asking.who} at {self._client.base_url}"
        return self._asking.error(f"{who} does not answer after {tries} tries ({why})", do=self._asking.again)


def _is_completion(said: ChatCompletion) -> bool:
    """Say whether a body that was JSON has the shape of a completion; the client does not check."""
    choices = getattr(said, "choices", None)
    return (
        isinstance(choices, list)
        and bool(choices)
        and getattr(choices[0], "message", None) is not None
        and hasattr(choices[0].message, "content")
    )


def _client(spec: EndpointPart, asking: Asking) -> OpenAI:
    try:
        from openai import OpenAI
    except ImportError as error:
        raise ToolMissing("the package openai is not installed", do="pip install 'dama[judge]'") from error
    return OpenAI(
        api_key=key_of(spec, asking),
        base_url=str(spec.base_url) if spec.base_url is not None else None,
        timeout=spec.timeout_seconds,
        max_retries=spec.attempts - 1,
    )


def key_of(spec: EndpointPart, asking: Asking) -> str:
    """Return the key that the spec names, "none" where it names none; the asking's error if it is not set."""
    if spec.key_env is None:
        return "none"
    key = os.environ.get(spec.key_env, "")
    if not key:
        raise asking.error(
            f"no key for {asking.who}: {spec.key_env} is not set in the environment",
            do=f"export {spec.key_env}=..., or name none where none is needed ({asking.keyless})",
        )
    return key
