"""How a Kueue queue holds a step until it is released, and how it is released.

`suspend: true` beside a queue's label is no gate: Kueue clears it as soon as there is quota.
"""

from __future__ import annotations

from dama.manifests.names import Object
from dama.spec.cluster import QueueSpec

LABEL = "kueue.x-k8s.io/queue-name"
GATE = "kueue.x-k8s.io/admission-gated-by"
OURS = "dama/release"
"""What stands in the gate: who opens it."""


def queued(queue: QueueSpec | None, labels: dict[str, str], gated: bool) -> Object:
    """Return labels and annotations of a job that the queue admits, gated until it is released or not."""
    found: Object = {"labels": dict(labels)}
    if queue is None or queue.gate == "pods":
        return found
    if queue.gate == "annotation":
        found["labels"][LABEL] = queue.name
        if gated:
            found["annotations"] = {GATE: OURS}
    elif not gated:
        found["labels"][LABEL] = queue.name
    return found


def opened(queue: QueueSpec | None, unsuspend: Object) -> Object:
    """Return the merge patch that releases a gated job; `unsuspend` is the one without a queue."""
    if queue is None or queue.gate == "pods":
        return unsuspend
    if queue.gate == "annotation":
        return {"metadata": {"annotations": {GATE: None}}}
    return {"metadata": {"labels": {LABEL: queue.name}}}
