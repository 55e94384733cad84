"""What the pods of a run get: processors and memory, places on nodes, volumes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from dama.spec.base import Part, PositiveFloat, PositiveInt

ObjectName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=253)
]
"""The name of an object of a cluster."""
MountPath = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._/-]+$")]
"""An absolute path inside a pod."""


class PreprocessResources(Part):
    """What a preprocessing pod gets. Processors are asked for and not limited; memory is both."""

    cpus: PositiveFloat = 8.0
    """Processors that the pod asks for."""
    memory_gib: PositiveInt = 48
    """Memory of the processes; what `shm_gib` allows comes on top."""
    shm_gib: PositiveInt = 2
    """Size of /dev/shm, through which data loaders and NCCL speak; it counts as the pod's memory."""


class TrainResources(Part):
    """What a training pod gets, as in preprocessing."""

    cpus: PositiveFloat = 16.0
    """Processors that the pod asks for."""
    memory_gib: PositiveInt = 128
    """Memory of the processes; what `shm_gib` allows comes on top."""
    shm_gib: PositiveInt = 16
    """Size of /dev/shm, through which data loaders and NCCL speak; it counts as the pod's memory."""


class EvaluateResources(Part):
    """What the evaluating pod gets, as in preprocessing."""

    cpus: PositiveFloat = 4.0
    """Processors that the pod asks for."""
    memory_gib: PositiveInt = 48
    """Memory of the processes; what `shm_gib` allows comes on top."""
    shm_gib: PositiveInt = 2
    """Size of /dev/shm, through which data loaders and NCCL speak; it counts as the pod's memory."""


StepResources = PreprocessResources | TrainResources | EvaluateResources
"""A step's; each class has defaults of its own, so that one key can be set and the others stay."""


class ScratchSpec(Part):
    """Where a pod keeps checkpoints on their way, inputs and caches; gone with the pod."""

    size_gib: PositiveInt = 300
    """Size; a pod that takes more of its node's disk is evicted."""
    claim: bool = False
    """Make a volume for each pod instead of using the node's own disk."""
    storage_class: ObjectName | None = None
    """StorageClass of that volume; the cluster's default one if left out."""


class VolumeSpec(Part):
    """An existing claim that every pod of the run sees, such as one with models or data."""

    claim: ObjectName
    """The PersistentVolumeClaim."""
    path: MountPath
    """Where pods see it."""
    read_only: bool = True
    """Whether pods may only read."""


class Toleration(Part):
    """A taint that pods put up with, as Kubernetes writes it."""

    key: str | None = None
    """The taint's key; any if left out, with operator Exists."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """Equal: the taint has this value; Exists: whatever it has."""
    value: str | None = None
    """The taint's value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The taint's effect; any if left out."""


class PodMonitorSpec(Part):
    """How Prometheus (by its operator's PodMonitor) is to read a training's numbers."""

    interval_seconds: PositiveInt = 15
    """Seconds between two readings."""
    labels: dict[str, str] = Field({})
    """Labels by which your Prometheus chooses its PodMonitors, such as `release: kube-prometheus-stack`."""


Free = dict[str, Any]
"""A part of Kubernetes' own that is passed on as it is."""
