"""What the end-to-end tests stand on: a namespace that enforces `restricted`, kubectl, helm, a bucket."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import yaml

from dama.spec.images import read_lock
from dama.spec.storage import EnvKeys, StorageSpec
from dama.storage.base import Store
from dama.storage.commit import read_commit
from dama.storage.s3 import S3Store

ROOT = Path(__file__).parent.parent.parent
NAMESPACE, FIRST = "dama-e2e", "first"
MADE_ONCE = ("world", "splitter", "data", "facts", "scores", "alpha", "baseline")
STEPS = 48
"""Long enough to be disturbed; a checkpoint every four."""
Found = TypeVar("Found")
Object = dict[str, Any]
SMALL: Mapping[str, Any] = {
    "model": "tiny",
    "world": {
        "clip_steps": 60,
        "llava_steps": 120,
        "captions": 3000,
        "scenes": 250,
        "samples": 6,
        "held_out": 60,
    },
    "train": {
        "ranks": 4,
        "per_device_batch": 4,
        "batch": 16,
        "max_steps": 12,
        "save_every_steps": 4,
        "threads": 1,
    },
    "evaluate": {"benchmarks": [{"kind": "miniature", "scenes": 40}], "max_new_tokens": 40, "batch": 40},
    "cluster": {
        "preprocess": {"cpus": 0.2, "memory_gib": 3, "shm_gib": 1},
        "train": {"cpus": 0.2, "memory_gib": 4, "shm_gib": 1},
        "evaluate": {"cpus": 0.2, "memory_gib": 3, "shm_gib": 1},
    },
}
"""The whole pipeline in minutes on two cores: four ranks, twelve steps, three checkpoints."""


def run(*command: str, stdin: str | None = None, check: bool = True) -> str:
    """Return what a program printed; AssertionError with all it said when it fails and `check`."""
    for _ in range(12):
        ended = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        if "failed calling webhook" not in ended.stderr:  # those of a busy cluster now and then do not answer
            break
        time.sleep(5)
    assert ended.returncode == 0 or not check, f"{' '.join(command)}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout + ("" if check else ended.stderr)


def until(what: str, ask: Callable[[], Found | None], seconds: float = 600.0, pause: float = 0.5) -> Found:
    """Return what `ask` says once that is anything; AssertionError with `what` after so long."""
    end = time.monotonic() + seconds
    while True:
        found = ask()
        if found:
            return found
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}"
        time.sleep(pause)


class Bed:
    """One namespace; everything in it is removed at the end."""

    def __init__(self, namespace: str, images: Mapping[str, str]) -> None:
        self.namespace, self.images = namespace, dict(images)

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl in the namespace."""
        return run("kubectl", "--namespace", self.namespace, *arguments, stdin=stdin, check=check)

    def dama(self, *arguments: str, check: bool = True) -> str:
        """Run dama on this machine against the namespace."""
        where = [] if arguments[0] in ("render",) else ["--namespace", self.namespace]
        return run(sys.executable, "-m", "dama", *arguments, *where, check=check)

    def helm(self, *arguments: str, program: str = "helm", check: bool = True) -> str:
        """Run helm in the namespace."""
        return run(program, "--namespace", self.namespace, *arguments, check=check)

    def values(self, folder: Path, **more: Any) -> Path:
        """Write a small run file, which is the chart's values too; return it."""
        from dama.spec.load import laid_over

        path = folder / "run.yaml"
        given = {name: image for name, image in self.images.items() if image}
        path.write_text(yaml.safe_dump(laid_over({**SMALL, "images": given}, more)))
        return path

    def all(self, kind: str, **labels: str) -> list[Object]:
        """Return objects by kind and the last part of their labels' keys."""
        keys = {
            "run": "app.kubernetes.io/instance",
            "step": "app.kubernetes.io/component",
            "hash": "dama/hash",
        }
        chosen = ",".join(f"{keys[key]}={value}" for key, value in labels.items())
        found = self.kubectl("get", kind, "--output", "json", "--selector", chosen)
        return list(json.loads(found)["items"])

    def step(self, run_name: str, step: str, kind: str = "job") -> Object | None:
        """Return the newest object of a step."""
        found = self.all(kind, run=run_name, step=step)
        found.sort(key=lambda one: one["metadata"]["creationTimestamp"])
        return found[-1] if found else None

    def condition(self, one: Object | None, *names: str) -> bool:
        """Say whether an object has one of the conditions."""
        conditions = (one or {}).get("status", {}).get("conditions", ())
        return any(each["type"] in names and each["status"] == "True" for each in conditions)

    def wait_done(self, run_name: str, seconds: float = 1200.0) -> None:
        """Return once the run's release Job has ended well; AssertionError with the pods' words otherwise."""

        def ended() -> bool:
            one = self.step(run_name, "release")
            assert not self.condition(one, "Failed"), self.words(run_name)
            return self.condition(one, "Complete")

        until(f"run {run_name} to end", ended, seconds, pause=2.0)

    def words(self, run_name: str) -> str:
        """Return what there is to know of a run, for a failure's message."""
        pods = self.kubectl("get", "pods,jobs,pytorchjobs", check=False)
        return f"{pods}\n{self.dama('logs', run_name, check=False)[-6000:]}"

    @contextmanager
    def bucket(self, service: str, prefix: str = "") -> Iterator[Store]:
        """Give the bucket behind a store's service, through a forwarded port."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        forward = subprocess.Popen(
            ["kubectl", "--namespace", self.namespace, "port-forward", f"service/{service}", f"{port}:7070"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until("the forwarded port", lambda: _answers(port), 30)
            keys = json.loads(self.kubectl("get", "secret", service, "--output", "json"))["data"]
            for name, value in keys.items():
                os.environ[f"E2E_{name}"] = base64.b64decode(value).decode()
            spec = StorageSpec.model_validate(
                {
                    "uri": f"s3://dama/{prefix}".rstrip("/"),
                    "endpoint_url": f"http://127.0.0.1:{port}",
                    "path_style": True,
                    "keys": EnvKeys(access_key="E2E_S3_ACCESS_KEY", secret_key="E2E_S3_SECRET_KEY"),
                }
            )
            yield S3Store.from_spec(spec)
        finally:
            forward.terminate()
            forward.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def record(store: Store, run_name: str, stage: str) -> Object:
    """Return a run's record of a stage: artifact, whether it was reused."""
    return dict(json.loads(store.get_bytes(f"runs/{run_name}/stages/{stage}.json")))


def final(store: Store, run_name: str) -> Object:
    """Return the last line of metrics that training committed for this run."""
    commit = read_commit(store, record(store, run_name, "train")["artifact"])
    assert commit is not None
    return dict(commit.meta["final"])


def made(store: Store, run_name: str, stage: str) -> Object:
    """Return what was noted when a stage's artifact was made."""
    return dict(json.loads(store.get_bytes(f"{record(store, run_name, stage)['artifact']}/made.json")))


def images() -> dict[str, str]:
    lock = read_lock(Path(os.environ["DAMA_E2E_IMAGES"]))
    return {name: lock[name] for name in ("preprocess", "train", "control", "store")}


def has(api: str) -> bool:
    return api in run("kubectl", "api-versions").split()


def elsewhere(prefix: str) -> dict[str, Any]:
    """Return what keeps a run under a prefix of the first run's bucket, by an existing Secret."""
    storage = {
        "uri": f"s3://dama/{prefix}",
        "endpoint_url": f"http://{FIRST}-store:7070",
        "path_style": True,
        "keys": {"access_key": "S3_ACCESS_KEY", "secret_key": "S3_SECRET_KEY"},
    }
    return {"storage": storage, "cluster": {"secret": f"{FIRST}-store"}}


def copy_preprocessed(store: Store, prefix: str, folder: Path) -> None:
    """Put what the first run made before training under `prefix`, so that only training is new there."""
    for stage in MADE_ONCE:
        for key in list(store.keys(f"artifacts/{stage}/")):
            store.get_file(key, folder / "part")
            store.put_file(f"{prefix}/{key}", folder / "part")
