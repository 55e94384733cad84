"""A judge on this machine: a server that speaks the chat completions of OpenAI's API."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Says = Callable[[dict[str, Any], int], str | int]
"""(request, how many came before it) -> the reply's text, or an HTTP status to refuse with."""


@dataclass
class JudgeServer:
    """Where it listens, and what it was asked."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    most_at_a_time: int = 0


@contextmanager
def judge_server(says: Says) -> Iterator[JudgeServer]:
    """Serve until the end of the block."""
    judge, lock, here = JudgeServer(), threading.Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                here[0] += 1
                judge.most_at_a_time = max(judge.most_at_a_time, here[0])
                before = len(judge.requests)
                judge.requests.append(body)
                judge.keys.append(self.headers.get("Authorization", ""))
            said = says(body, before)
            with lock:
                here[0] -= 1
            if isinstance(said, int):
                self._send(said, {"error": {"message": f"refused with {said}", "type": "test"}})
            else:
                self._send(200, _completion(said, body))

        def _send(self, status: int, content: dict[str, Any]) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("retry-after-ms", "1")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    judge.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield judge
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _completion(text: str, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": f"{body['model']}-2026",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
