"""An API server in memory: objects by path, patched and selected as the real one does, for what we ask of it.

Tests set `status` themselves: nothing here runs anything.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

Object = dict[str, Any]
KINDS = {
    "v1": (
        *("namespaces", "nodes", "pods", "events", "secrets", "configmaps", "services", "serviceaccounts"),
        "persistentvolumeclaims",
    ),
    "batch/v1": ("jobs",),
    "apps/v1": ("deployments",),
    "kubeflow.org/v1": ("pytorchjobs",),
    "networking.k8s.io/v1": ("networkpolicies",),
    "rbac.authorization.k8s.io/v1": ("roles", "rolebindings"),
    "kueue.x-k8s.io/v1beta2": ("localqueues",),
}


@dataclass
class ApiServer:
    """What the server holds and was asked; every path is the object's own."""

    objects: dict[str, Object] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    patches: list[tuple[str, Object]] = field(default_factory=list)
    refused: set[tuple[str, str]] = field(default_factory=set)
    """(method, plural) pairs that answer 403."""
    kinds: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(KINDS))
    busy: int = 0
    """So many answers are 500, as when a webhook is away."""
    url: str = ""
    made: int = 0

    def put(self, path: str, one: Object) -> Object:
        """Keep an object under its path."""
        self.made += 1
        meta = one.setdefault("metadata", {})
        meta.setdefault("name", path.rpartition("/")[2])
        meta.setdefault("creationTimestamp", f"2026-11-21T08:00:{self.made % 60:02d}Z")
        meta["resourceVersion"] = str(self.made)
        self.objects[path] = one
        return one

    def find(self, part: str) -> Object:
        """Return the one object whose path holds `part`."""
        (found,) = [one for path, one in self.objects.items() if part in path]
        return found

    def kubeconfig(self, path: Path, namespace: str = "aligning") -> Path:
        """Write a kubeconfig that names this server."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
            "current-context": "x",
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def answer(
        self, method: str, path: str, query: dict[str, list[str]], body: Object | None
    ) -> tuple[int, Any]:
        """Return status and body of an answer."""
        if self.busy:
            self.busy -= 1
            return 500, {"message": "failed calling webhook"}
        steps = path.strip("/").split("/")
        if (method, steps[-1]) in self.refused or (
            method,
            steps[-2] if len(steps) > 1 else "",
        ) in self.refused:
            return 403, {"message": f"user u cannot {method} {path}"}
        if path == "/version":
            return 200, {"gitVersion": "v1.34.0"}
        if path == "/apis/kueue.x-k8s.io":
            versions = [version for version in self.kinds if version.startswith("kueue")]
            return (200, {"preferredVersion": {"groupVersion": versions[0]}}) if versions else _MISSING
        if path.endswith("/selfsubjectaccessreviews"):
            attributes = (body or {})["spec"]["resourceAttributes"]
            allowed = (attributes["verb"].upper(), attributes["resource"]) not in self.refused
            return 201, {"status": {"allowed": allowed}}
        version = "/".join(steps[1:2] if steps[0] == "api" else steps[1:3])
        if version not in self.kinds:
            return _MISSING
        rest = steps[2:] if steps[0] == "api" else steps[3:]
        if not rest:
            return 200, {"resources": [{"name": plural} for plural in self.kinds[version]]}
        if rest[0] == "namespaces" and len(rest) > 2:
            rest = rest[2:]
        if rest[0] not in self.kinds[version]:
            return _MISSING
        if rest[-1] == "log":
            name = rest[-2]
            return (200, self.logs[name]) if name in self.logs else (400, {"message": "waiting to start"})
        if len(rest) == 1:
            return self._all(method, path, query, body)
        return self._one(method, path, query, body)

    def _all(
        self, method: str, path: str, query: dict[str, list[str]], body: Object | None
    ) -> tuple[int, Any]:
        if method == "POST" and body is not None:
            own = f"{path}/{body['metadata']['name']}"
            if own in self.objects:
                return 409, {"message": "already exists"}
            return 201, self.put(own, body)
        wanted = dict(pair.split("=") for pair in (query.get("labelSelector") or [""])[0].split(",") if pair)
        found = [
            one
            for own, one in self.objects.items()
            if (
                own.rpartition("/")[0] == path
                or ("/namespaces/" not in path and f"/{path.rpartition('/')[2]}/" in own)
            )
            and wanted.items() <= one["metadata"].get("labels", {}).items()
        ]
        return 200, {"items": [{key: value for key, value in one.items() if key != "kind"} for one in found]}

    def _one(
        self, method: str, path: str, query: dict[str, list[str]], body: Object | None
    ) -> tuple[int, Any]:
        there = self.objects.get(path)
        if method == "GET":
            return (200, there) if there is not None else _MISSING
        if method == "DELETE":
            return (200, self.objects.pop(path)) if there is not None else _MISSING
        if method == "PATCH" and body is not None:
            applied = "fieldManager" in query
            if there is None and not applied:
                return _MISSING
            merged = _merged(json.loads(json.dumps(there or {})), body)
            if query.get("dryRun"):
                return 200, merged
            self.patches.append((path, body))
            return 200, there if merged == there else self.put(path, merged)
        return 405, {"message": method}


_MISSING = (404, {"message": "the server could not find the requested resource"})


def _merged(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    for key, value in above.items():
        if value is None:
            below.pop(key, None)
        else:
            below[key] = _merged(below.get(key), value)
    return below


@contextmanager
def running() -> Iterator[ApiServer]:
    """Give a server that answers until the block ends."""
    state = ApiServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 1 << 16

        def _handle(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, said = state.answer(self.command, parts.path, parse_qs(parts.query), body)
            data = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = _handle

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
