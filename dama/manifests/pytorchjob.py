"""Training as a PyTorchJob of Kubeflow's training operator (v1.9).

The job is made suspended; replicas and processes a node are written out, for the operator's defaults differ
(`auto` counts as one process). Its RANK is the node's, so each pod starts its own processes. ExitCode would
ignore `backoffLimit`, and `activeDeadlineSeconds` does not fire reliably: restarts are OnFailure, and the
trainer itself keeps `train.limit_minutes`. Pods of workers get the operator's init container, which waits for
the master's name; the one it ships with runs as root and is refused where `restricted` is enforced, until the
operator is given another template.
"""

from __future__ import annotations

from dama.manifests.job import training_pod
from dama.manifests.kueue import queued
from dama.manifests.names import Names, Object
from dama.spec.run import RunSpec

CONTAINER = "pytorch"
"""The name that the operator looks for."""


def pytorchjob(spec: RunSpec, names: Names) -> Object:
    """Return the suspended PyTorchJob: a master, and workers where there are several nodes."""
    cluster = spec.cluster
    policy: Object = {"suspend": True, "backoffLimit": cluster.restarts, "cleanPodPolicy": "None"}
    if cluster.keep_hours is not None:
        policy["ttlSecondsAfterFinished"] = cluster.keep_hours * 3600
    replicas = {"Master": _replicas(spec, names, 1)}
    if cluster.nodes > 1:
        replicas["Worker"] = _replicas(spec, names, cluster.nodes - 1)
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": names.step("train"), **queued(cluster.queue, names.labels("train"), gated=True)},
        "spec": {
            "nprocPerNode": str(spec.train.ranks // cluster.nodes),
            "runPolicy": policy,
            "pytorchReplicaSpecs": replicas,
        },
    }


def _replicas(spec: RunSpec, names: Names, count: int) -> Object:
    return {
        "replicas": count,
        "restartPolicy": "OnFailure",
        "template": training_pod(spec, names, CONTAINER, restart=None),
    }
