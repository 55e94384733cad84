"""Sends a run's objects, exactly as they are rendered; what is already there and runs is left alone."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from dama.cluster.client import Cluster
from dama.cluster.kinds import Object
from dama.cluster.runs import Run
from dama.cluster.state import state_of
from dama.errors import ClusterError
from dama.manifests.names import HASH
from dama.manifests.render import to_yaml

_STEPS = {"Job", "PyTorchJob", "TrainJob", "TrainingRuntime"}
"""Named by the hash of their run file: of one name they are equal, and applying them again would only hold
back what was released."""
_SERVERS = {"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"}


def send(cluster: Cluster, objects: list[Object], *, dry_run: bool = False) -> Iterator[str]:
    """Apply objects in order, yield a line for each; with `dry_run` the server says what it would do."""
    fresh_namespace = False
    for one in objects:
        kind, name = one["kind"], one["metadata"]["name"]
        title = f"{kind} {name}"
        if fresh_namespace and dry_run:
            yield f"{title}: not asked, its namespace is not there yet"
            continue
        there = cluster.get(kind, name)
        if there is not None and kind in _STEPS and HASH in there["metadata"].get("labels", {}):
            yield f"{title}: already there"
            continue
        if dry_run and kind == "TrainJob":
            yield f"{title}: not asked, its runtime must be there before it"
            continue
        made = cluster.apply(one, dry_run=dry_run)
        if there is None:
            fresh_namespace = fresh_namespace or kind == "Namespace"
            yield f"{title}: {'would be made' if dry_run else 'made'}"
        else:
            same = _plain(there) == _plain(made) if dry_run else _version(there) == _version(made)
            yield f"{title}: {'unchanged' if same else 'would change' if dry_run else 'changed'}"


def differences(cluster: Cluster, objects: list[Object]) -> Iterator[str]:
    """Yield a unified diff between what is in the cluster and what `send` would leave there."""
    for one in objects:
        kind, name = one["kind"], one["metadata"]["name"]
        there = cluster.get(kind, name)
        if there is not None and kind in _STEPS:
            continue
        try:
            then: Object = cluster.apply(one, dry_run=True)
        except ClusterError:  # what it stands on is not there yet
            then = one
        before = "" if there is None else to_yaml([_plain(there)])
        yield from difflib.unified_diff(
            before.splitlines(),
            to_yaml([_plain(then)]).splitlines(),
            f"now/{kind}/{name}",
            f"then/{kind}/{name}",
            lineterm="",
        )


def cancel(cluster: Cluster, run: Run) -> Iterator[str]:
    """Remove a run's steps, the release first, and yield a line for each; artifacts and run file stay."""
    order = sorted(run.steps.items(), key=lambda item: item[0] != "release")
    for _, one in order:
        name = one["metadata"]["name"]
        if cluster.delete(one["kind"], name):
            yield f"{one['kind']} {name}: removed"


def again(cluster: Cluster, run: Run) -> Iterator[str]:
    """Remove the steps of a run that have not ended well, so that they can be made again."""
    for step, one in run.steps.items():
        if step == "release" or state_of(one).phase != "done":
            name = one["metadata"]["name"]
            if cluster.delete(one["kind"], name):
                yield f"{one['kind']} {name}: removed"
            cluster.until_gone(one["kind"], name)


def _version(one: Object) -> Any:  # noqa: ANN401 - JSON
    return one["metadata"].get("resourceVersion")


def _plain(one: Object) -> Object:
    """Return an object without what the server adds."""
    kept = {key: value for key, value in one.items() if key != "status"}
    kept["metadata"] = {key: value for key, value in one["metadata"].items() if key not in _SERVERS}
    return kept
