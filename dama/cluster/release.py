"""Holds training back until its data is there, lets it run, and watches until the run has ended.

State is read from the cluster each time, so a release that is started again goes on from where the run is.
A failure is never released: what comes behind it stays suspended, and the reason is raised.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dama.cluster.client import Cluster
from dama.cluster.kinds import Object
from dama.cluster.state import State, state_of, suspended, unsuspend
from dama.errors import ClusterError, NotAllowed, StageFailed
from dama.manifests.kueue import opened
from dama.spec.cluster import QueueSpec

PAUSE_SECONDS = 3.0


@dataclass(frozen=True)
class Steps:
    """What a run's steps are called, and which kind training is."""

    preprocess: str
    train: str
    evaluate: str
    kind: str
    queue: QueueSpec | None = None


class Release:
    """Watches one run. `lacking` says what preprocessing has not committed, empty when all is there.

    The API server may be silent, and objects of the run be absent, for `patience_seconds`.
    """

    def __init__(
        self,
        cluster: Cluster,
        steps: Steps,
        lacking: Callable[[], str],
        say: Callable[[str], None],
        pause: Callable[[float], None] = time.sleep,
        patience_seconds: float = 900.0,
    ) -> None:
        self._cluster, self._steps, self._lacking = cluster, steps, lacking
        self._say, self._pause, self._patience = say, pause, patience_seconds

    def run(self) -> None:
        """Return when the run has ended well; StageFailed says which step failed and why."""
        steps = self._steps
        if steps.kind == "TrainJob":
            self._until_ended("TrainJob", steps.train, "the run", gated=False)
            return
        self._preprocessed()
        self._until_ended(steps.kind, steps.train, "training", gated=True)
        self._until_ended("Job", steps.evaluate, "evaluating", gated=True)

    def _preprocessed(self) -> None:
        name = self._steps.preprocess
        if state_of(self._got("Job", name)).phase == "absent" and not self._lacking():
            self._say("preprocessing was done earlier, and its artifacts are there")
            return
        self._until_ended("Job", name, "preprocessing", gated=False)
        if lacking := self._lacking():
            raise StageFailed(
                f"preprocessing ended well and left no commit of {lacking}; nothing is released",
                do="see its log, then start the run again",
            )

    def _until_ended(self, kind: str, name: str, title: str, *, gated: bool) -> None:
        """Wait for the end of a step; a gated one is let run first, and again if somebody holds it back."""
        said, absent = "", 0.0
        while True:
            one = self._got(kind, name)
            state = state_of(one)
            if one is not None and gated and not state.ended:
                self._open(kind, name, one, title)
            if state.phase != said:
                self._say(f"{title} ({name}): {state.phase}")
                said = state.phase
            if state.phase == "done":
                return
            if state.phase == "failed":
                raise self._failure(title, name, state)
            absent = absent + PAUSE_SECONDS if state.phase == "absent" else 0.0
            if absent > self._patience:
                raise StageFailed(f"{kind} {name} is not there", do="apply the run's manifests, all of them")
            self._pause(PAUSE_SECONDS)

    def _open(self, kind: str, name: str, one: Object, title: str) -> None:
        queue = self._steps.queue
        change = opened(queue, unsuspend(kind))
        meta = one["metadata"]
        if queue is None or queue.gate == "pods":
            shut = suspended(one)
        elif queue.gate == "annotation":
            shut = any(key in (meta.get("annotations") or {}) for key in change["metadata"]["annotations"])
        else:
            shut = any(key not in (meta.get("labels") or {}) for key in change["metadata"]["labels"])
        if shut:
            self._cluster.patch(kind, name, change)
            self._say(f"{title} ({name}) is released")

    def _failure(self, title: str, name: str, state: State) -> StageFailed:
        return StageFailed(
            f"{title} ({name}) failed: {state.reason}; what comes behind it is not released",
            do="see `dama status` and `dama logs`",
        )

    def _got(self, kind: str, name: str) -> Object | None:
        """Return the object; an API server that is silent for a while is waited for."""
        waited = 0.0
        while True:
            try:
                return self._cluster.get(kind, name)
            except NotAllowed:
                raise
            except ClusterError:
                if waited > self._patience:
                    raise
            self._pause(PAUSE_SECONDS)
            waited += PAUSE_SECONDS


def store_keys(
    cluster: Cluster, name: str, labels: Mapping[str, str], variables: tuple[str, str]
) -> dict[str, str]:
    """Return the keys in Secret `name`, made here the first time; they stay as long as the Secret does."""
    import base64

    found = cluster.get("Secret", name)
    if found is None:
        made = {variables[0]: f"dama{secrets.token_hex(8)}", variables[1]: secrets.token_urlsafe(30)}
        body: Object = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "labels": dict(labels)},
            "stringData": made,
        }
        if cluster.create(body):
            return made
        found = cluster.get("Secret", name) or {}
    data = found.get("data") or {}
    if lacking := [variable for variable in variables if variable not in data]:
        raise StageFailed(
            f"Secret {name} has no key {', '.join(lacking)}", do=f"kubectl delete secret {name}"
        )
    return {variable: base64.b64decode(data[variable]).decode() for variable in variables}
