"""What has Prometheus scrape a run's training: a PodMonitor of the Prometheus Operator."""

from __future__ import annotations

from dama.manifests.names import APP, RUN, STEP, Names, Object
from dama.spec.run import RunSpec

PORT = 9464
"""Where the first process of a training serves its numbers."""
PORT_NAME = "metrics"
METRICS_PORT = "DAMA_METRICS_PORT"
"""The variable that tells the training so. `dama.train.prometheus` has the name too, for what runs in a pod
knows no manifests; a test compares."""
_FIRST_POD = {
    "pytorchjob": {"training.kubeflow.org/replica-type": "master"},
    "trainjob": {"batch.kubernetes.io/job-completion-index": "0"},
    "job": {},
}
"""What tells the pod of the first process from those of other nodes, which serve nothing."""


def monitors(spec: RunSpec, names: Names) -> list[Object]:
    """Return the run's PodMonitor, nothing when it has none."""
    monitor = spec.cluster.pod_monitor
    if monitor is None:
        return []
    first = _FIRST_POD[spec.cluster.backend]
    return [
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PodMonitor",
            "metadata": {"name": names.run, "labels": {**monitor.labels, **names.labels()}},
            "spec": {
                "selector": {"matchLabels": {APP: "dama", RUN: names.run, STEP: "train", **first}},
                "podMetricsEndpoints": [{"port": PORT_NAME, "interval": f"{monitor.interval_seconds}s"}],
            },
        }
    ]
