"""A real `vllm serve` process on loopback, asked through its OpenAI-compatible API."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dog_llama import write_dog_llama

from dama.errors import HardnessError
from dama.hardness.asked import AskedSplitter
from dama.hardness.instruction import reply_schema
from dama.records import Preference
from dama.serving.chat import Said
from dama.serving.endpoint import Asking
from dama.serving.served import ServedChat
from dama.spec.hardness import ServedFacts

pytestmark = [pytest.mark.vllm]

SITE = Path(__file__).parent / "site"
KEY = "hush"
START_SECONDS = 600
ASKING = Asking("model dog", HardnessError)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server's address; it is started for this module and ended with it."""
    folder = write_dog_llama(tmp_path_factory.mktemp("dog"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", "dog", "--dtype", "float32"]
    words += ["--max-model-len", "4096", "--enforce-eager", "--load-format", "safetensors"]
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(SITE), os.environ.get("PYTHONPATH", "")]),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_API_KEY": KEY,
        "HF_HUB_OFFLINE": "1",
    }
    log = tmp_path_factory.mktemp("log") / "serve.log"
    with log.open("wb") as out:
        program = [sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", str(folder), *words]
        server = subprocess.Popen(
            program, env=environ, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _wait(f"http://127.0.0.1:{port}/health", server, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            try:
                server.wait(30)
            finally:
                if server.poll() is None:
                    os.killpg(server.pid, signal.SIGKILL)
                    server.wait()


def _wait(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"vllm serve did not start:\n{log.read_text(errors='replace')[-4000:]}")


@pytest.fixture
def spec(url: str, monkeypatch: pytest.MonkeyPatch) -> ServedFacts:
    monkeypatch.setenv("MY_KEY", KEY)
    return ServedFacts.model_validate(
        {"model": "dog", "base_url": url, "key_env": "MY_KEY", "reply_tokens": 64, "attempts": 2}
    )


def preferences(*responses: str) -> list[Preference]:
    return [Preference(f"p{n}", "", "What?", text, "A cat.") for n, text in enumerate(responses)]


def test_facts_come_from_the_server_in_the_shape_it_is_forced_into(spec: ServedFacts) -> None:
    splitter = AskedSplitter(spec, lambda: ServedChat(spec, ASKING))
    responses = [f"Dog {number} runs." for number in range(40)]
    found = list(splitter.split(preferences(*responses, "🙂", "x " * 3000)))
    assert [one.chosen for one in found[:40]] == [("Dog",)] * 40
    assert {one.rejected for one in found} == {("Dog",)}
    assert {flag for one in found[:40] for flag in one.flags} == set()
    assert found[40].flags == ("chosen:no-facts",)
    assert found[41].flags == ("chosen:fallback",), "too long for the server, which refuses it alone"


def test_it_is_the_schema_that_makes_a_list_of_it(spec: ServedFacts) -> None:
    chat = ServedChat(spec, ASKING)
    talk: list[list[dict[str, Any]]] = [[{"role": "user", "content": "A dog runs."}]]
    (forced,) = chat.ask(talk, reply_tokens=64, schema=reply_schema(8))
    assert json.loads(forced.text) == ["Dog"]
    (free,) = chat.ask(talk, reply_tokens=8)
    assert free == Said('Dog"Dog"', "length")


def test_a_wrong_key_and_a_wrong_name_are_told(spec: ServedFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = [[{"role": "user", "content": "A dog runs."}]]
    other = spec.model_copy(update={"model": "cat"})
    with pytest.raises(HardnessError, match=r"is not there \(404\)"):
        ServedChat(other, ASKING).ask(talk, reply_tokens=8)
    monkeypatch.setenv("MY_KEY", "wrong")
    with pytest.raises(HardnessError, match="refuses the key; to mend: set MY_KEY"):
        ServedChat(spec, ASKING).ask(talk, reply_tokens=8)
