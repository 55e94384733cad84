"""Whole runs of the small pipeline, and what tests look at afterwards."""

from __future__ import annotations

import io
import time
from pathlib import Path

import small_pipeline
from rich.console import Console

from dama.spec.load import parse
from dama.spec.run import RunSpec
from dama.stages.pipeline import Ran, run_all
from dama.storage.local import LocalStore
from dama.storage.uri import open_store

PROGRAM = (small_pipeline.__file__,)


ONE_RANK = "train={ranks: 1, per_device_batch: 16}"


def spec_of(folder: Path, *overrides: str) -> RunSpec:
    return parse("model: tiny\nname: small", [ONE_RANK, *overrides], folder=folder)


class Said:
    """A run of the small pipeline and what it printed."""

    def __init__(self, spec: RunSpec) -> None:
        self._out = io.StringIO()
        console = Console(file=self._out, soft_wrap=True, highlight=False)
        self.ran: tuple[Ran, ...] = run_all(
            spec, small_pipeline.STAGES, console, program=PROGRAM, typed="run.yaml"
        )
        self.text = self._out.getvalue()

    def made(self) -> list[str]:
        """Return the names of the stages that were made, not reused."""
        return [one.planned.stage.name for one in self.ran if not one.reused]


def worked(notes: Path) -> list[str]:
    return sorted(path.name.split("-")[0] for path in notes.iterdir())


def store_of(spec: RunSpec) -> LocalStore:
    store = open_store(spec.storage)
    assert isinstance(store, LocalStore)
    return store


def artifacts(spec: RunSpec) -> dict[str, bytes]:
    """Return the bytes of every artifact, without what is recorded beside them."""
    store = open_store(spec.storage)
    keys = [key for key in store.keys("artifacts/") if not key.endswith("/made.json")]
    return {key: store.get_bytes(key) for key in keys}


def ended(pid: int, within: float = 10.0) -> bool:
    """Say whether a process that is not our child is gone, or a zombie, soon."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False
