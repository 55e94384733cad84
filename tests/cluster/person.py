"""Somebody with a run file and a kubeconfig, at the command line."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from api_server import ApiServer
from run_specs import IMAGES

from dama.cli.app import main
from dama.cluster.kinds import path_of

DONE = {"conditions": [{"type": "Complete", "status": "True"}]}


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


class Person:
    """Somebody with a run file and a kubeconfig."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.write({})

    def write(self, more: dict[str, Any]) -> None:
        self.file = self.folder / "run.yaml"
        text = {"name": "mine", "model": "llava-7b", "images": IMAGES, **more}
        self.file.write_text(yaml.safe_dump(text))

    def dama(self, *arguments: str | Path) -> Said:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        code = ended.value.code
        return Said(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())

    def submit(self, *arguments: str) -> Said:
        return self.dama("submit", self.file, "--no-follow", *arguments)

    def one(self, kind: str, step: str) -> dict[str, Any]:
        plural = path_of(kind, "aligning")
        (path,) = [path for path in self.server.objects if path.startswith(f"{plural}/mine-{step}-")]
        return self.server.objects[path]

    def pod(self, step: str, number: int = 0, **status: Any) -> str:
        """Add a pod of a step, as its controller would; return its name."""
        labels = self.one("Job", "release")["metadata"]["labels"]
        name = f"mine-{step}-{number}"
        container = {
            "name": "dama",
            "resources": {"limits": {"nvidia.com/gpu": "4"} if step == "train" else {}},
        }
        one = {
            "metadata": {"labels": {**labels, "app.kubernetes.io/component": step}},
            "spec": {"containers": [container]},
            "status": {"phase": "Running", "startTime": "2026-11-21T08:00:00Z", **status},
        }
        self.server.put(path_of("Pod", "aligning", name), one)
        return name
