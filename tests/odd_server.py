"""An OpenAI-compatible server that misbehaves on purpose, request by request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """A completion with this text."""

    text: str | None
    ended: str = "stop"


@dataclass(frozen=True)
class Refuse:
    """An HTTP status, with what it says and headers."""

    status: int
    says: str = "refused"
    headers: tuple[tuple[str, str], ...] = (("retry-after-ms", "1"),)


@dataclass(frozen=True)
class Body:
    """A body as it stands, with status 200."""

    text: str
    type: str = "application/json"


@dataclass(frozen=True)
class Half:
    """The first half of a completion, then the connection is closed."""


@dataclass(frozen=True)
class Silence:
    """Nothing, until the server ends."""


Act = Reply | Refuse | Body | Half | Silence
Acts = Callable[[dict[str, Any], int], Act]
"""(request, how many came before it) -> what it gets."""


@dataclass
class OddServer:
    """Where it listens, and what it was asked."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    most_at_a_time: int = 0


@contextmanager
def odd_server(acts: Acts) -> Iterator[OddServer]:
    """Serve until the end of the block."""
    odd, lock, over, here = OddServer(), threading.Lock(), threading.Event(), [0]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                here[0] += 1
                odd.most_at_a_time = max(odd.most_at_a_time, here[0])
                before = len(odd.requests)
                odd.requests.append(request)
                odd.keys.append(self.headers.get("Authorization", ""))
            act = acts(request, before)
            with lock:
                here[0] -= 1
            self._do(act, request)

        def _do(self, act: Act, request: dict[str, Any]) -> None:
            if isinstance(act, Refuse):
                error = {"error": {"message": act.says, "type": "test"}}
                self._send(act.status, json.dumps(error).encode(), headers=act.headers)
            elif isinstance(act, Body):
                self._send(200, act.text.encode(), act.type)
            elif isinstance(act, Silence):
                over.wait(60)
                self.close_connection = True
            elif isinstance(act, Half):
                whole = json.dumps(_completion(Reply("[]"), request)).encode()
                self._send(200, whole, sent=len(whole) // 2)
                self.close_connection = True
            else:
                self._send(200, json.dumps(_completion(act, request)).encode())

        def _send(
            self,
            status: int,
            data: bytes,
            type: str = "application/json",
            headers: tuple[tuple[str, str], ...] = (),
            sent: int | None = None,
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", type)
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data[:sent])

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    odd.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield odd
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _completion(reply: Reply, request: dict[str, Any]) -> dict[str, Any]:
    """Return a completion as the API writes it."""
    message = {"role": "assistant", "content": reply.text}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": f"{request['model']}-2026",
        "choices": [{"index": 0, "finish_reason": reply.ended, "message": message}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
