"""Where a run stands is read off its objects, its pods and what they print."""

from __future__ import annotations

from typing import Any

import pytest
from person import DONE, Person

from dama.cluster.client import Cluster
from dama.cluster.pods import pods_of, progress_of
from dama.cluster.runs import find_run
from dama.cluster.state import state_of


@pytest.mark.parametrize(
    ("one", "phase"),
    [
        (None, "absent"),
        ({"kind": "Job", "spec": {"suspend": True}}, "held"),
        ({"kind": "PyTorchJob", "spec": {"runPolicy": {"suspend": True}}}, "held"),
        ({"kind": "Job", "spec": {}}, "waiting"),
        ({"kind": "Job", "spec": {}, "status": {"active": 1}}, "running"),
        (
            {"kind": "PyTorchJob", "spec": {}, "status": {"replicaStatuses": {"Master": {"active": 1}}}},
            "running",
        ),
        ({"kind": "TrainJob", "spec": {}, "status": {"jobsStatus": [{"active": 1}]}}, "running"),
        ({"kind": "Job", "spec": {}, "status": DONE}, "done"),
        (
            {"kind": "Job", "spec": {}, "status": {"conditions": [{"type": "Failed", "status": "False"}]}},
            "waiting",
        ),
    ],
)
def test_phases_are_read_off_every_kind(one: dict[str, Any] | None, phase: str) -> None:
    assert state_of(one).phase == phase


def test_why_a_pod_waits_is_its_phase(person: Person, cluster: Cluster) -> None:
    person.submit()
    waiting = {"name": "dama", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    person.pod("train", 0, phase="Pending", containerStatuses=[waiting])
    condition = {"type": "PodScheduled", "reason": "Unschedulable", "message": "no GPUs"}
    person.pod("train", 1, phase="Pending", conditions=[condition])
    phases = [pod.phase for pod in pods_of(cluster, find_run(cluster, "mine"))]
    assert phases == ["ImagePullBackOff", "Unschedulable: no GPUs"]


def test_progress_is_the_newest_line_that_says_how_far() -> None:
    assert progress_of(["facts: 1 of 9", "facts: 3 of 9", "done"]) == "facts: 3 of 9"
    assert progress_of(["nothing"]) == ""
