"""The run as a TrainJob of Kubeflow Trainer (>= 2.3) over a runtime of its own.

The steps are the runtime's jobs, each starting when the one before is complete, so nothing need be released.
With a queue the TrainJob is admitted as a whole: its GPUs are reserved while it preprocesses.
"""

from __future__ import annotations

from typing import Any

from dama.manifests.job import evaluate_pod, preprocess_pod, training_pod
from dama.manifests.kueue import queued
from dama.manifests.names import Names, Object
from dama.spec.run import RunSpec

API = "trainer.kubeflow.org/v1alpha1"
NODE = "node"
"""The name that Trainer looks for, of the training's job and of its container."""


def trainjob(spec: RunSpec, names: Names) -> list[Object]:
    """Return the namespaced TrainingRuntime with the run's steps, and the TrainJob that runs it."""
    cluster = spec.cluster
    pods, labels = cluster.preprocess_pods, names.labels("train")
    each = spec.train.ranks // cluster.nodes
    jobs = [
        _step(
            spec,
            "preprocess",
            preprocess_pod(spec, names),
            {"completionMode": "Indexed", "completions": pods, "parallelism": pods},
        ),
        _step(spec, NODE, training_pod(spec, names, NODE, "OnFailure"), {}, after="preprocess"),
        _step(spec, "evaluate", evaluate_pod(spec, names), {}, after=NODE),
    ]
    jobs[1]["template"]["metadata"] = {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}}
    runtime = {
        "apiVersion": API,
        "kind": "TrainingRuntime",
        "metadata": {
            "name": names.step("train"),
            "labels": {**labels, "trainer.kubeflow.org/framework": "torch"},
        },
        "spec": {
            "mlPolicy": {"numNodes": cluster.nodes, "torch": {}},
            "template": {"spec": {"replicatedJobs": jobs}},
        },
    }
    job = {
        "apiVersion": API,
        "kind": "TrainJob",
        "metadata": {"name": names.step("train"), **queued(cluster.queue, labels, gated=False)},
        "spec": {
            "runtimeRef": {"apiGroup": "trainer.kubeflow.org", "kind": "TrainingRuntime"}
            | {"name": names.step("train")},
            "trainer": {"numNodes": cluster.nodes, "numProcPerNode": each},
        },
    }
    return [runtime, job]


def _step(spec: RunSpec, name: str, pod: Object, body: Object, after: str | None = None) -> Object:
    job: dict[str, Any] = {
        "name": name,
        "replicas": 1,
        "template": {"spec": {**body, "backoffLimit": spec.cluster.restarts, "template": pod}},
    }
    if after is not None:
        job["dependsOn"] = [{"name": after, "status": "Complete"}]
    return job
