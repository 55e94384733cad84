"""What the cluster gives: nodes, GPUs, a queue, and what the run's pods are like."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from dama.spec.base import EnvName, Part, PositiveInt
from dama.spec.pods import (
    EvaluateResources,
    Free,
    ObjectName,
    PodMonitorSpec,
    PreprocessResources,
    ScratchSpec,
    Toleration,
    TrainResources,
    VolumeSpec,
)


class QueueSpec(Part):
    """A Kueue queue that the run's GPUs are taken from."""

    name: ObjectName
    """The LocalQueue, in the run's namespace."""
    gate: Literal["annotation", "label", "pods"] = "annotation"
    """How training is held until its data is there. annotation: Kueue >= 0.19 with the job's integration on,
    by kueue.x-k8s.io/admission-gated-by. label: Kueue <= 0.18, the queue's label is added on release. pods:
    the job's integration is off, the label stands on the pods (Kueue's pod integration)."""


class OwnStore(Part):
    """The S3 server that a run without `storage.uri` brings along."""

    size_gib: PositiveInt = 500
    """Size of its volume, which outlives the run."""
    storage_class: ObjectName | None = None
    """The volume's StorageClass; the cluster's default one if left out."""


Namespace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]


class ClusterSpec(Part):
    """Nodes and GPUs; processes of `train.ranks` are spread evenly over the nodes."""

    nodes: PositiveInt = 1
    """Machines that train together."""
    gpus: Annotated[int, Field(ge=0)] | None = None
    """GPUs of one node; as many as its ranks if left out, 0 when `train.device` is cpu."""
    preprocess_pods: PositiveInt = 1
    """Pods that preprocess together, each a share of the shards."""
    preprocess_gpus: Annotated[int, Field(ge=0)] | None = None
    """GPUs of each of those pods; if left out 1 where facts or scores are computed on GPUs, else 0."""
    namespace: Namespace | None = None
    """The namespace of the run's objects; `default` if left out, and with helm the release's."""
    create_namespace: bool = False
    """Render the namespace as well, with the label that enforces restricted pods."""
    backend: Literal["pytorchjob", "trainjob", "job"] = "pytorchjob"
    """Who runs the training: Kubeflow's training operator, Kubeflow Trainer (>= 2.3), or Kubernetes alone
    (one node)."""
    queue: QueueSpec | None = None
    """The Kueue queue that admits the run; none if left out."""
    preprocess: PreprocessResources = PreprocessResources()
    """What a preprocessing pod gets."""
    train: TrainResources = TrainResources()
    """What a training pod gets."""
    evaluate: EvaluateResources = EvaluateResources()
    """What the evaluating pod gets."""
    scratch: ScratchSpec = ScratchSpec()
    """Where pods keep checkpoints on their way, inputs and caches."""
    model_cache: ObjectName | None = None
    """An existing claim for the hub's cache, shared by pods; each downloads into its scratch if left out."""
    volumes: tuple[VolumeSpec, ...] = ()
    """More claims that every pod sees."""
    store: OwnStore = OwnStore()
    """The S3 server that comes along where `storage.uri` is left out."""
    secret: ObjectName | None = None
    """An existing Secret; its keys are called like the variables that the run file names (`storage.keys`,
    `key_env`), and by choice HF_TOKEN."""
    service_account: ObjectName | None = None
    """An existing service account for the pods; one is made if left out."""
    service_account_annotations: dict[str, str] = Field({})
    """Annotations of the one that is made: IRSA, workload identity."""
    node_selector: dict[str, str] = Field({})
    """Labels of the nodes that pods may run on."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints that pods put up with."""
    affinity: Free = Field({})
    """Affinity, as Kubernetes writes it."""
    topology_spread: tuple[Free, ...] = ()
    """Topology spread constraints, as Kubernetes writes them."""
    priority_class: ObjectName | None = None
    """PriorityClass of the pods."""
    runtime_class: ObjectName | None = None
    """RuntimeClass of pods with GPUs."""
    pull_secrets: tuple[ObjectName, ...] = ()
    """Secrets to pull images with."""
    env: dict[EnvName, str] = Field({})
    """More environment variables for every pod; never keys, which belong into a Secret."""
    restarts: Annotated[int, Field(ge=0)] = 10
    """How often a step may start again, after failures and after saving on purpose."""
    grace_seconds: PositiveInt = 900
    """What training gets to finish a step and save when its pod is to go; at least one checkpoint's time."""
    keep_hours: PositiveInt | None = None
    """Finished objects are removed after so long; they stay if left out."""
    network_policy: bool = True
    """Let pods reach only DNS, the store, the hub (443) and the endpoints that the run file names."""
    pod_monitor: PodMonitorSpec | None = None
    """Have the Prometheus Operator read training's numbers (`{}` for the defaults); off if left out."""
