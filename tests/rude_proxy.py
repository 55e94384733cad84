"""A proxy in front of a real S3 server that misbehaves on purpose, by request and how often it came."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Manner = Literal["well", "busy", "hang up", "break off", "slow"]
"""Forward it; answer 503 SlowDown; close without an answer; close in its midst; some bytes at a time."""
_BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class RudeProxy:
    """Listens on loopback while it is entered; `manners` says how a request ("GET /bucket/key") is treated
    that came so often before."""

    def __init__(self, upstream: str, manners: Callable[[str, int], Manner]) -> None:
        self._host, self._manners = upstream.removeprefix("http://"), manners
        self._came: Counter[str] = Counter()
        self.treated: Counter[Manner] = Counter()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                with suppress(ConnectionError):
                    proxy._treat(self)

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _any

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> RudeProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _treat(self, asked: BaseHTTPRequestHandler) -> None:
        request = f"{asked.command} {asked.path}"
        manner = self._manners(request, self._came[request])
        self._came[request] += 1
        self.treated[manner] += 1
        body = asked.rfile.read(int(asked.headers.get("Content-Length", 0)))
        if manner == "hang up":
            asked.close_connection = True
            return
        if manner == "busy":
            asked.send_response(503)
            asked.send_header("Content-Length", str(len(_BUSY)))
            asked.end_headers()
            if asked.command != "HEAD":
                asked.wfile.write(_BUSY)
            return
        status, headers, answer = self._forwarded(asked, body)
        asked.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding"):
                asked.send_header(name, value)
        if answer and "content-length" not in {name.lower() for name, _ in headers}:
            asked.send_header("Content-Length", str(len(answer)))
        asked.end_headers()
        if manner == "break off":
            asked.wfile.write(answer[: len(answer) // 2])
            asked.close_connection = True
        elif manner == "slow":
            step = max(1, len(answer) // 5)
            for start in range(0, len(answer), step):
                asked.wfile.write(answer[start : start + step])
                asked.wfile.flush()
                time.sleep(0.02)
        else:
            asked.wfile.write(answer)

    def _forwarded(
        self, asked: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Ask the server the same; the host's name is signed, and so stays that of the proxy."""
        connection = http.client.HTTPConnection(self._host, timeout=20)
        try:
            connection.putrequest(asked.command, asked.path, skip_host=True, skip_accept_encoding=True)
            for name, value in asked.headers.items():
                if name.lower() not in ("connection", "expect"):
                    connection.putheader(name, value)
            connection.endheaders(body or None)
            found = connection.getresponse()
            return found.status, found.getheaders(), found.read()
        finally:
            connection.close()
