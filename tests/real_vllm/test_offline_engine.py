"""The real offline engine: forced replies, the same whatever went before, and memory that is given back."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_llama import write_tiny_llama

from dama.serving.chat import Said
from dama.serving.vllm import OfflineChat

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]

SHORT = {"type": "array", "items": {"type": "string", "maxLength": 6}, "minItems": 1, "maxItems": 3}


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfflineChat]:
    """A tiny Llama with random weights."""
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    folder = write_tiny_llama(tmp_path_factory.mktemp("llama"), context=1024)
    opened = OfflineChat(folder, context_tokens=9999, dtype="float32")
    yield opened
    opened.close()


def talks(*texts: str) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": text}] for text in texts]


MANY = talks(*(f"response number {number}, {'and so on ' * (number % 7)}" for number in range(48)))


def test_every_reply_is_a_list_of_strings_when_the_schema_says_so(chat: OfflineChat) -> None:
    replies = chat.ask(MANY, reply_tokens=200, schema=SHORT)
    assert {said.ended for said in replies} == {"stop"}
    lists = [json.loads(said.text, strict=False) for said in replies]
    assert all(1 <= len(one) <= 3 and all(isinstance(item, str) for item in one) for one in lists)
    assert len({said.text for said in replies}) > 1, "conversations differ, and so do replies"


def test_without_a_schema_it_says_what_it_likes(chat: OfflineChat) -> None:
    (said,) = chat.ask(talks("a response"), reply_tokens=20)
    assert said.ended == "length"
    assert not said.text.startswith("[")


def test_equal_conversations_get_equal_replies_whatever_was_asked_before(chat: OfflineChat) -> None:
    first = chat.ask(MANY, reply_tokens=40, schema=SHORT)
    chat.ask(talks(*("x" * length for length in range(1, 800, 90))), reply_tokens=40)
    chat.ask(MANY[:5], reply_tokens=40, schema=SHORT)
    assert chat.ask(MANY, reply_tokens=40, schema=SHORT) == first


def test_what_does_not_fit_is_refused_and_does_not_stop_the_others(chat: OfflineChat) -> None:
    found = chat.ask(talks("x" * 5000, "a dog", "x" * 1020), reply_tokens=60, schema=SHORT)
    assert [said.ended for said in found] == ["refused", "stop", "length"]
    assert found[0] == Said("", "refused")


def test_grammars_are_made_at_once_so_that_batches_do_not_depend_on_threads(chat: OfflineChat) -> None:
    from vllm.v1.structured_output import StructuredOutputManager

    assert "self._use_async_grammar_compilation" in inspect.getsource(StructuredOutputManager.grammar_init)
    chat.ask(MANY[:1], reply_tokens=5)
    manager = chat._llm.llm_engine.engine_core.engine_core.structured_output_manager
    assert isinstance(manager, StructuredOutputManager)
    assert manager._use_async_grammar_compilation is False


def test_closed_it_gives_its_memory_back_and_opened_again_it_says_the_same(chat: OfflineChat) -> None:
    first = chat.ask(MANY, reply_tokens=40, schema=SHORT)
    open_mib = _resident_mib()
    chat.close()
    # The cache alone is a GiB; part of what is left is vLLM's code.
    assert open_mib - _resident_mib() > 512
    assert chat.ask(MANY, reply_tokens=40, schema=SHORT) == first


def _resident_mib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) >> 10
