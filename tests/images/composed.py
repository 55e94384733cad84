"""compose.yaml as a project of its own: up, stop, kill, what the store holds, and nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
_COMMITS = """
import json
from dama.spec.load import load
from dama.storage.uri import open_store
store = open_store(load(__import__("pathlib").Path("run.yaml")).storage)
keys = [key for key in store.keys("artifacts/") if key.endswith("/commit.json") and key.count("/") == 3]
print(json.dumps({key.split("/")[1]: json.loads(store.get_bytes(key)) for key in keys}))
"""
_FORGET = """
import sys
from dama.spec.load import load
from dama.storage.uri import open_store
store = open_store(load(__import__("pathlib").Path("run.yaml")).storage)
for key in list(store.keys(f"artifacts/{sys.argv[1]}/")):
    store.delete(key)
"""
_CHECKPOINT = """
import time
from pathlib import Path
from dama.spec.load import load
from dama.storage.uri import open_store
store = open_store(load(Path("run.yaml")).storage)
deadline = time.monotonic() + 300
while not any("/checkpoints/" in k and k.endswith("/commit.json") for k in store.keys("artifacts/train/")):
    if time.monotonic() > deadline:
        raise SystemExit("no checkpoint in five minutes")
    time.sleep(0.2)
"""


@dataclass(frozen=True)
class Project:
    """One project of compose, whose report lands in `report` and belongs to `user`."""

    name: str
    report: Path
    user: str

    def compose(
        self, *arguments: str, timeout: float = 900, check: bool = True, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `docker compose ARGUMENTS`; with `check` a failure shows what it said."""
        done = subprocess.run(
            ["docker", "compose", "--project-name", self.name, "--ansi", "never", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "REPORT_FOLDER": str(self.report),
                "REPORT_USER": self.user,
                "TORCH_INDEX": os.environ.get("TORCH_INDEX", ""),
                **environ,
            },
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(
                f"{arguments}: {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
            )
        return done

    def run_all(self) -> None:
        """Bring everything up and see it to its end."""
        up = self.compose("up", "--detach", check=False)
        assert up.returncode == 0, up.stderr[-2000:] + self.logs()
        assert self.ended("report") == 0, self.logs()

    def ended(self, service: str) -> int:
        """Wait for a service to end; return its exit code."""
        self.compose("wait", service, check=False)
        return self.exit_code(service)

    def exit_code(self, service: str) -> int:
        """Return the exit code of a service that has ended."""
        said = self.compose("ps", "--all", "--format", "json", service).stdout
        return int(json.loads(said.splitlines()[0])["ExitCode"])

    def logs(self, *services: str, since: str = "") -> str:
        """Return what services said, since a moment."""
        arguments = ["--since", since] if since else []
        done = self.compose("logs", "--no-log-prefix", "--no-color", *arguments, *services)
        return done.stdout + done.stderr

    def until_said(self, service: str, words: str, since: str) -> None:
        """Wait until a service has said `words`; it must not end before."""
        deadline = time.monotonic() + 300
        while words not in self.logs(service, since=since):
            state = json.loads(self.compose("ps", "--all", "--format", "json", service).stdout)["State"]
            assert state in ("running", "created", "restarting"), self.logs(service)
            assert time.monotonic() < deadline, self.logs(service)
            time.sleep(0.5)

    def commits(self) -> dict[str, Any]:
        """Return the commit of each stage in the store."""
        return dict(json.loads(self._python(_COMMITS)))

    def wait_for_checkpoint(self) -> None:
        """Wait until the store has a whole checkpoint of the training."""
        self._python(_CHECKPOINT)

    def forget(self, stage: str) -> None:
        """Remove what a stage has made."""
        self._python(_FORGET, stage)

    def _python(self, program: str, *arguments: str) -> str:
        start = ["run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "python", "bucket", "-c", program]
        return self.compose(*start, *arguments).stdout

    def left(self) -> list[str]:
        """Return the containers, volumes and networks of this project."""
        found = []
        for what in (["ps", "--all"], ["volume", "ls"], ["network", "ls"]):
            listed = ["docker", *what, "--quiet", "--filter", f"label=com.docker.compose.project={self.name}"]
            found += subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
        return found


def now() -> str:
    """Return this moment as `docker compose logs --since` reads it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
