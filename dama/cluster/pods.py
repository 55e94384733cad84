"""The pods of a run: what they are at, how often they started again, what they cost so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from dama.cluster.client import Cluster
from dama.cluster.kinds import Object
from dama.cluster.runs import Run, when
from dama.manifests.names import APP, HASH, RUN, STEP

GPU = "nvidia.com/gpu"


@dataclass(frozen=True)
class Pod:
    """One pod of a step."""

    name: str
    step: str
    container: str
    phase: str
    """Pending, Running, Succeeded, Failed; or why it waits (CrashLoopBackOff, ImagePullBackOff, ...)."""
    restarts: int
    gpus: int
    made: datetime
    started: datetime | None
    ended: datetime | None
    message: str
    """What its container said last when it ended badly."""

    def gpu_hours(self, now: datetime) -> float:
        """Return the GPU-hours it took so far: from its start, whatever it did with them."""
        if self.started is None:
            return 0.0
        return self.gpus * ((self.ended or now) - self.started).total_seconds() / 3600


def pods_of(cluster: Cluster, run: Run) -> list[Pod]:
    """Return the pods of a run, the oldest first."""
    return _labelled(cluster, {RUN: run.name, HASH: run.hash})


def store_pods(cluster: Cluster, run: Run) -> list[Pod]:
    """Return the pods of the S3 server that the run brought along; none where it has a bucket of its own."""
    return _labelled(cluster, {RUN: run.name, STEP: "store"})


def last_lines(cluster: Cluster, pod: Pod, count: int = 20) -> list[str]:
    """Return the last lines of a pod's log; none when it has none yet."""
    return list(cluster.log(pod.name, pod.container, follow=False, tail=count))


def progress_of(lines: list[str]) -> str:
    """Return the newest line that says how far something is, "" when none does."""
    return next((line for line in reversed(lines) if ": " in line and " of " in line), "")


def _labelled(cluster: Cluster, labels: dict[str, str]) -> list[Pod]:
    found = cluster.all("Pod", {APP: "dama", **labels}) or []
    return sorted((_read(one) for one in found), key=lambda pod: pod.made)


def _read(one: Object) -> Pod:
    spec, status = one["spec"], one.get("status", {})
    main = spec["containers"][0]
    states = [state for state in status.get("containerStatuses", ()) if state["name"] == main["name"]]
    state = states[0] if states else {}
    ended = state.get("state", {}).get("terminated") or {}
    before = ended or state.get("lastState", {}).get("terminated") or {}
    failed = before.get("exitCode", 0) != 0
    return Pod(
        name=one["metadata"]["name"],
        step=one["metadata"].get("labels", {}).get(STEP, ""),
        container=main["name"],
        phase=next(_waits(status), str(status.get("phase", "Unknown"))),
        restarts=int(state.get("restartCount", 0)),
        gpus=int(main.get("resources", {}).get("limits", {}).get(GPU, 0)),
        made=when(one["metadata"]["creationTimestamp"]),
        started=when(status["startTime"]) if "startTime" in status else None,
        ended=when(ended["finishedAt"]) if ended.get("finishedAt") else None,
        message=_last_line(before) if failed else "",
    )


def _waits(status: Object) -> Iterator[str]:
    """Yield why a pod that is not running waits."""
    for state in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        reason = state.get("state", {}).get("waiting", {}).get("reason")
        if reason and reason not in ("ContainerCreating", "PodInitializing"):
            yield str(reason)
    for condition in status.get("conditions", ()):
        if condition.get("reason") == "Unschedulable":
            yield f"Unschedulable: {condition.get('message', '')}"


def _last_line(ended: Object) -> str:
    lines = [line for line in str(ended.get("message", "")).splitlines() if line.strip()]
    said = lines[-1].strip() if lines else str(ended.get("reason", ""))
    first = next((line for line in lines if line.startswith("dama: error:")), said)
    return f"exit code {ended.get('exitCode')}: {first}"
