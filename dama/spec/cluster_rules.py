"""Rules on what the cluster gives; the schema cannot say them, for they look at several keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dama.errors import Problem
from dama.spec.broken import Broken

if TYPE_CHECKING:
    from dama.spec.run import RunSpec

TRAINJOB_NAME = 34
"""Characters of a run's name that leave room for what Trainer and JobSet append to it."""


def cluster_rules(spec: RunSpec) -> list[Broken]:
    """Return every rule on cluster and images that `spec` breaks."""
    cluster, broken = spec.cluster, []
    if cluster.backend == "job" and cluster.nodes > 1:
        broken.append(
            Broken(
                Problem(
                    "cluster.backend",
                    f"job, and training on {cluster.nodes} nodes",
                    wanted="pytorchjob or trainjob, which make nodes find each other",
                    do="set cluster.backend=pytorchjob, or cluster.nodes=1",
                ),
                ("cluster.backend", "cluster.nodes"),
            )
        )
    if cluster.backend == "trainjob" and len(spec.name) > TRAINJOB_NAME:
        broken.append(
            Broken(
                Problem(
                    "name",
                    f"{len(spec.name)} characters",
                    wanted=f"at most {TRAINJOB_NAME} with cluster.backend 'trainjob', which appends to it",
                    do="shorten name",
                ),
                ("name", "cluster.backend"),
            )
        )
    if cluster.create_namespace and cluster.namespace is None:
        broken.append(
            Broken(
                Problem("cluster.create_namespace", "true, and no name", do="set cluster.namespace"),
                ("cluster.create_namespace", "cluster.namespace"),
            )
        )
    if cluster.scratch.storage_class is not None and not cluster.scratch.claim:
        broken.append(
            Broken(
                Problem(
                    "cluster.scratch.storage_class",
                    "a StorageClass, and no volume that has it",
                    do="set cluster.scratch.claim=true",
                ),
                ("cluster.scratch",),
            )
        )
    paths = [volume.path.rstrip("/") for volume in cluster.volumes]
    taken = {"/etc/dama", "/scratch", "/tmp", "/cache", "/hub", "/dev/shm"}  # noqa: S108 - paths inside a pod
    for number, path in enumerate(paths):
        if path in taken or path in paths[:number]:
            problem = Problem(
                f"cluster.volumes.{number}.path", f"'{path}' is taken", do="choose another path"
            )
            broken.append(Broken(problem, (f"cluster.volumes.{number}.path",)))
    return [*broken, *_images(spec)]


def _images(spec: RunSpec) -> list[Broken]:
    if spec.images.allow_mutable_tags:
        return []
    return [
        Broken(
            Problem(
                f"images.{name}",
                f"'{image}' has no digest",
                wanted="an image with @sha256:..., whose bytes cannot change between one pod and the next",
                do="write the digest that pushing it printed, or set images.allow_mutable_tags=true",
            ),
            (f"images.{name}", "images.allow_mutable_tags"),
        )
        for name in ("preprocess", "train", "control", "store")
        if (image := getattr(spec.images, name)) is not None and "@sha256:" not in image
    ]
