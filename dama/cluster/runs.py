"""Runs as a cluster has them: their steps, found by label, the newest first."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from dama.cluster.client import Cluster
from dama.cluster.kinds import Object
from dama.cluster.state import State, state_of
from dama.errors import ClusterError
from dama.manifests.names import APP, HASH, RUN, STEP, STEPS

KINDS = ("Job", "PyTorchJob", "TrainJob")


@dataclass(frozen=True)
class Run:
    """One run file that was sent under a name: its steps' objects, by step."""

    name: str
    hash: str
    steps: dict[str, Object] = field(default_factory=dict)
    kept: Object | None = None
    """The ConfigMap with its run file."""

    @property
    def state(self) -> State:
        """Return how far the run is: failed with a step, done with the last, else as far as its furthest."""
        states = {step: state_of(one) for step, one in self.steps.items()}
        for step, state in states.items():
            if state.phase == "failed":
                return State("failed", f"{step}: {state.reason}")
        last = states.get("release") or states.get("train") or State("absent")
        if last.phase == "done":
            return last
        for step in ("evaluate", "train", "preprocess"):
            if step in states and states[step].phase in ("running", "waiting"):
                return State("running", step)
        return State("held" if states else "absent", "" if states else "cancelled")

    @property
    def since(self) -> datetime:
        """Return when its first object was made."""
        every = [*self.steps.values(), *([self.kept] if self.kept else [])]
        return min(when(one["metadata"]["creationTimestamp"]) for one in every)


def when(text: str) -> datetime:
    """Return the moment that an API server's timestamp names."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def find_runs(cluster: Cluster, name: str | None = None) -> list[Run]:
    """Return the runs of the namespace, or those of one name, the newest first."""
    labels = {APP: "dama", **({} if name is None else {RUN: name})}
    found: dict[tuple[str, str], Run] = {}

    def run_of(one: Object) -> Run | None:
        marks = one["metadata"].get("labels", {})
        if HASH not in marks or RUN not in marks:
            return None
        key = marks[RUN], marks[HASH]
        return found.setdefault(key, Run(*key))

    for kind in KINDS:
        for one in cluster.all(kind, labels) or ():
            run, step = run_of(one), one["metadata"].get("labels", {}).get(STEP)
            if run is not None and step in STEPS:
                run.steps[step] = {"kind": kind, **one}
    for one in cluster.all("ConfigMap", labels) or ():
        run = run_of(one)
        if run is not None:
            found[run.name, run.hash] = Run(run.name, run.hash, run.steps, one)
    return sorted(found.values(), key=lambda run: run.since, reverse=True)


def find_run(cluster: Cluster, name: str) -> Run:
    """Return the newest run of that name (or NAME-HASH); ClusterError when there is none."""
    plain, _, mark = name.rpartition("-")
    for run in [*find_runs(cluster, name), *(one for one in find_runs(cluster, plain) if one.hash == mark)]:
        return run
    raise ClusterError(
        f"no run '{name}' in namespace {cluster.namespace}", do="see `dama ls`, or --namespace"
    )
