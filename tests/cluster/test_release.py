"""Training is released once its data is there and never after a failure."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from api_server import ApiServer

from dama.cluster.client import Cluster
from dama.cluster.kinds import path_of
from dama.cluster.release import Release, Steps, store_keys
from dama.errors import NotAllowed, StageFailed
from dama.spec.cluster import QueueSpec

QUEUES = [
    None,
    QueueSpec(name="gpus"),
    QueueSpec(name="gpus", gate="label"),
    QueueSpec(name="gpus", gate="pods"),
]
GATE, LABEL = "kueue.x-k8s.io/admission-gated-by", "kueue.x-k8s.io/queue-name"
DONE = {"conditions": [{"type": "Complete", "status": "True"}]}
FAILED = {
    "conditions": [
        {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too many failures"}
    ]
}


class Stage:
    """A run's objects, and what happens to them each time that the release pauses."""

    def __init__(self, server: ApiServer, cluster: Cluster, queue: QueueSpec | None = None) -> None:
        self.server, self.cluster, self.queue = server, cluster, queue
        self.said: list[str] = []
        self.lacking = ""
        self.script: list[Callable[[], None]] = []
        held: dict[str, Any] = {}
        if queue is not None and queue.gate == "annotation":
            held = {"annotations": {GATE: "dama/release"}, "labels": {LABEL: "gpus"}}
        self.put("Job", "preprocess", {"spec": {}})
        self.put("PyTorchJob", "train", {"spec": {"runPolicy": {"suspend": True}}, "metadata": dict(held)})
        self.put("Job", "evaluate", {"spec": {"suspend": True}, "metadata": dict(held)})

    def put(self, kind: str, name: str, one: dict[str, Any]) -> None:
        self.server.put(path_of(kind, "aligning", name), {"kind": kind, **one})

    def one(self, kind: str, name: str) -> dict[str, Any]:
        return self.server.objects[path_of(kind, "aligning", name)]

    def ends(self, kind: str, name: str, status: dict[str, Any] = DONE) -> Callable[[], None]:
        def end() -> None:
            self.one(kind, name)["status"] = status

        return end

    def run(self) -> None:
        def pause(seconds: float) -> None:
            assert self.script, "the release waits for something that never happens"
            self.script.pop(0)()

        steps = Steps("preprocess", "train", "evaluate", "PyTorchJob", self.queue)
        Release(self.cluster, steps, lambda: self.lacking, self.said.append, pause, 60.0).run()

    def released(self, kind: str, name: str) -> bool:
        one = self.one(kind, name)
        if self.queue is not None and self.queue.gate == "annotation":
            return GATE not in one["metadata"].get("annotations", {})
        if self.queue is not None and self.queue.gate == "label":
            return LABEL in one["metadata"].get("labels", {})
        return not one["spec"].get("suspend", one["spec"].get("runPolicy", {}).get("suspend"))


@pytest.mark.parametrize("queue", QUEUES, ids=["none", "annotation", "label", "pods"])
def test_each_step_is_released_when_the_one_before_has_ended(
    server: ApiServer, cluster: Cluster, queue: QueueSpec | None
) -> None:
    stage = Stage(server, cluster, queue)

    def nothing_yet() -> None:
        assert not stage.released("PyTorchJob", "train")

    def training_only() -> None:
        assert stage.released("PyTorchJob", "train")
        assert not stage.released("Job", "evaluate")
        stage.ends("PyTorchJob", "train", {"conditions": [{"type": "Succeeded", "status": "True"}]})()

    stage.script = [
        nothing_yet,
        stage.ends("Job", "preprocess"),
        training_only,
        stage.ends("Job", "evaluate"),
    ]
    stage.run()
    assert stage.released("Job", "evaluate")
    suspended = [
        stage.one("PyTorchJob", "train")["spec"]["runPolicy"]["suspend"],
        stage.one("Job", "evaluate")["spec"]["suspend"],
    ]
    kueues_own = queue is not None and queue.gate in ("annotation", "label")
    assert suspended == [kueues_own] * 2  # with a queue, Kueue alone decides when pods start


def test_a_failed_preprocessing_is_never_released_and_its_reason_is_told(
    server: ApiServer, cluster: Cluster
) -> None:
    stage = Stage(server, cluster)
    stage.script = [stage.ends("Job", "preprocess", FAILED)]
    with pytest.raises(
        StageFailed, match=r"preprocessing .* failed: BackoffLimitExceeded: too many failures"
    ):
        stage.run()
    assert not stage.released("PyTorchJob", "train")
    assert not stage.released("Job", "evaluate")


def test_success_without_the_committed_artifact_is_not_enough(server: ApiServer, cluster: Cluster) -> None:
    stage = Stage(server, cluster)
    stage.lacking = "scores, alpha"
    stage.script = [stage.ends("Job", "preprocess")]
    with pytest.raises(StageFailed, match="no commit of scores, alpha"):
        stage.run()
    assert not stage.released("PyTorchJob", "train")


def test_a_failed_training_leaves_evaluating_suspended(server: ApiServer, cluster: Cluster) -> None:
    stage = Stage(server, cluster)
    stage.script = [stage.ends("Job", "preprocess"), stage.ends("PyTorchJob", "train", FAILED)]
    with pytest.raises(StageFailed, match="training"):
        stage.run()
    assert not stage.released("Job", "evaluate")


@pytest.mark.parametrize("queue", [None, QUEUES[1]], ids=["none", "annotation"])
def test_manifests_applied_again_are_released_again(
    server: ApiServer, cluster: Cluster, queue: QueueSpec | None
) -> None:
    stage = Stage(server, cluster, queue)

    def applied_again() -> None:
        assert stage.released("PyTorchJob", "train")
        one = stage.one("PyTorchJob", "train")
        one["spec"]["runPolicy"]["suspend"] = True
        if queue is not None:
            one["metadata"]["annotations"] = {GATE: "dama/release"}

    def again_let_run() -> None:
        assert stage.released("PyTorchJob", "train")
        stage.ends("PyTorchJob", "train")()

    stage.script = [
        stage.ends("Job", "preprocess"),
        applied_again,
        again_let_run,
        stage.ends("Job", "evaluate"),
    ]
    stage.run()


def test_a_release_that_starts_again_goes_on_from_where_the_run_is(
    server: ApiServer, cluster: Cluster
) -> None:
    stage = Stage(server, cluster)
    del server.objects[path_of("Job", "aligning", "preprocess")]  # removed by its time to live
    stage.ends("PyTorchJob", "train")()
    stage.script = [stage.ends("Job", "evaluate")]
    stage.run()
    assert "done earlier" in stage.said[0]


def test_objects_that_never_come_are_told(server: ApiServer, cluster: Cluster) -> None:
    stage = Stage(server, cluster)
    server.objects.clear()
    stage.lacking = "alpha"
    stage.script = [lambda: None] * 40
    with pytest.raises(StageFailed, match="preprocess is not there"):
        stage.run()


def test_missing_rights_are_told_at_once(server: ApiServer, cluster: Cluster) -> None:
    stage = Stage(server, cluster)
    server.refused.add(("GET", "jobs"))
    with pytest.raises(NotAllowed):
        stage.run()


def test_a_trainjob_is_only_watched(server: ApiServer, cluster: Cluster) -> None:
    server.kinds["trainer.kubeflow.org/v1alpha1"] = ("trainjobs",)
    path = path_of("TrainJob", "aligning", "t")
    server.put(path, {"kind": "TrainJob", "spec": {}, "status": DONE})
    steps = Steps("p", "t", "e", "TrainJob")
    Release(cluster, steps, lambda: "", lambda line: None, lambda seconds: None).run()
    assert server.patches == []


def test_the_stores_keys_are_made_once_and_stay(server: ApiServer, cluster: Cluster) -> None:
    first = store_keys(cluster, "x-store", {"a": "b"}, ("ACCESS", "SECRET"))
    secret = server.find("secrets/x-store")
    assert set(first) == {"ACCESS", "SECRET"}
    assert len(first["SECRET"]) >= 40
    secret["data"] = {name: base64.b64encode(value.encode()).decode() for name, value in first.items()}
    assert store_keys(cluster, "x-store", {}, ("ACCESS", "SECRET")) == first
    del secret["data"]["SECRET"]
    with pytest.raises(StageFailed, match="no key SECRET"):
        store_keys(cluster, "x-store", {}, ("ACCESS", "SECRET"))
