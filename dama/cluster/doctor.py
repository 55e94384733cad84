"""Whether a cluster is as a run wants it, before anything is spent: findings, each with its fix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from dama.cluster.client import Cluster, amount
from dama.cluster.kinds import Object, group_of
from dama.cluster.pods import GPU
from dama.errors import ClusterError, CorruptArtifact, NotAllowed, ObjectMissing, StorageError
from dama.manifests.job import gpus_of_a_node, preprocess_gpus
from dama.manifests.placed import brings_store, variables
from dama.spec.image import ImagesSpec
from dama.spec.pods import StepResources
from dama.spec.run import RunSpec

Verdict = Literal["ok", "wrong", "unknown"]
_OPERATORS = {
    "pytorchjob": ("PyTorchJob", "training-operator", "install Kubeflow's training operator v1.9"),
    "trainjob": ("TrainJob", "trainer", "install Kubeflow Trainer >= 2.3"),
}


@dataclass(frozen=True)
class Finding:
    """What a check found, and what to do when it is wrong."""

    verdict: Verdict
    found: str
    do: str = ""


def examine(cluster: Cluster, spec: RunSpec, objects: list[Object]) -> Iterator[Finding]:
    """Yield what every check finds for a placed run file and its rendered objects."""
    yield Finding("ok", f"Kubernetes {cluster.version()}, namespace {cluster.namespace}")
    for check in (_namespace, _operator, _queue, _gpus, _room, _secrets, _claims, _monitor):
        try:
            yield from check(cluster, spec)
        except NotAllowed as error:
            yield Finding("unknown", f"{check.__name__.strip('_')}: {error.found}")
    yield from _rights(cluster, objects)


def examine_images(images: ImagesSpec) -> Iterator[Finding]:
    """Yield whether registries have a placed run's images, as far as they tell somebody without a login."""
    from dama.storage.registry import check_image

    for name in ("preprocess", "train", "control", "store"):
        image = str(getattr(images, name))
        try:
            check_image(image)
        except (ObjectMissing, CorruptArtifact) as error:
            yield Finding("wrong", f"image {name}: {error.found}", "make push REGISTRY=...")
        except StorageError as error:
            yield Finding("unknown", f"image {name}: {error.found}")
        except ValueError:
            yield Finding("unknown", f"image {name}: {image} has no tag and digest, so nobody can be asked")
        else:
            yield Finding("ok", f"image {name}: {image} is there")


def backend_api(cluster: Cluster, spec: RunSpec) -> Finding:
    """Return whether the cluster has the kind that trains, as any of its callers may ask."""
    wanted = _OPERATORS.get(spec.cluster.backend)
    if wanted is None:
        return Finding("ok", "cluster.backend job needs no operator")
    kind, _, do = wanted
    if cluster.knows(kind):
        return Finding("ok", f"the cluster has {kind}")
    return Finding("wrong", f"the cluster has no {kind}", f"{do}, or set cluster.backend=job")


def _namespace(cluster: Cluster, spec: RunSpec) -> Iterator[Finding]:
    there = cluster.get("Namespace", cluster.namespace)
    if there is None and not spec.cluster.create_namespace:
        yield Finding(
            "wrong",
            f"there is no namespace {cluster.namespace}",
            f"kubectl create namespace {cluster.namespace}, or set cluster.create_namespace=true",
        )
    elif there is not None:
        level = there["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce", "nothing")
        yield Finding("ok", f"namespace {cluster.namespace} enforces {level}; the run's pods are restricted")


def _operator(cluster: Cluster, spec: RunSpec) -> Iterator[Finding]:
    api = backend_api(cluster, spec)
    yield api
    if api.verdict == "wrong" or spec.cluster.backend not in _OPERATORS:
        return
    _, name, _ = _OPERATORS[spec.cluster.backend]
    try:
        found = [
            one
            for one in cluster.everywhere("Deployment")
            if name in one["metadata"]["name"] and "kubeflow" in str(one["spec"]["template"])
        ]
    except NotAllowed as error:
        yield Finding("unknown", f"whether the operator runs, and its version: {error.found}")
        return
    if not found:
        yield Finding(
            "unknown", f"no deployment called {name} is seen: whether an operator runs is not known"
        )
    for one in found:
        image = one["spec"]["template"]["spec"]["containers"][0]["image"]
        ready = one.get("status", {}).get("readyReplicas", 0)
        title = f"operator {one['metadata']['namespace']}/{one['metadata']['name']} ({image})"
        if ready:
            yield Finding("ok", f"{title} is ready")
        else:
            yield Finding("wrong", f"{title} is not ready", "see its pods, it would leave the run suspended")


def _queue(cluster: Cluster, spec: RunSpec) -> Iterator[Finding]:
    queue = spec.cluster.queue
    if queue is None:
        return
    queues = cluster.queues()
    if queues is None:
        yield Finding(
            "wrong", "cluster.queue is set, and the cluster has no Kueue", "leave cluster.queue out"
        )
    elif queue.name not in queues:
        names = ", ".join(sorted(queues)) or "none"
        yield Finding(
            "wrong", f"no LocalQueue {queue.name} here", f"set cluster.queue.name to one of: {names}"
        )
    else:
        yield Finding("ok", f"LocalQueue {queue.name} is there")


def _allocatable(cluster: Cluster) -> list[Object]:
    """Return what each node that takes pods has for them."""
    nodes = [one for one in cluster.all("Node") or () if not one["spec"].get("unschedulable")]
    return [one["status"].get("allocatable", {}) for one in nodes]


def _gpus(cluster: Cluster, spec: RunSpec) -> Iterator[Finding]:
    train, facts = gpus_of_a_node(spec), preprocess_gpus(spec)
    if not train and not facts:
        yield Finding("ok", "the run asks for no GPUs")
        return
    have = sorted((int(one.get(GPU, 0)) for one in _allocatable(cluster)), reverse=True)
    enough = [count for count in have if count >= train]
    wanted = f"{spec.cluster.nodes} node(s) with {train} GPUs each"
    if len(enough) >= spec.cluster.nodes and (not have or have[0] >= facts):
        yield Finding("ok", f"{wanted}: {len(enough)} such node(s)")
    else:
        yield Finding(
            "wrong",
            f"{wanted}, and nodes offer {', '.join(map(str, have)) or 'none'} of {GPU}",
            "add nodes or the NVIDIA device plugin, or lower train.ranks / raise cluster.nodes",
        )


def _room(cluster: Cluster, spec: RunSpec) -> Iterator[Finding]:
    """Whether each step's pod fits an empty node by CPU and memory."""
    every = [one for one in _allocatable(cluster) if {"cpu", "memory"} <= one.keys()]
    nodes = [(amount(one["cpu"]), amount(one["memory"])) for one in every]
    if not nodes:
        return
    small = False
    for step in ("preprocess", "train", "evaluate"):
        asked: StepResources = getattr(spec.cluster, step)
        memory = asked.memory_gib + asked.shm_gib
        if not any(cpus >= asked.cpus and have >= memory * 2**30 for cpus, have in nodes):
            small = True
            most = ", ".join(f"{cpus:g} CPUs and {have / 2**30:.0f} GiB" for cpus, have in sorted(nodes)[-3:])
            yield Finding(
                "wrong",
                f"{step} asks for {asked.cpus:g} CPUs and {memory} GiB, and the largest nodes have {most}",
                f"lower cluster.{step}.cpus and cluster.{step}.memory_gib, or add such a node",
            )
    if not small:
        yield Finding("ok", "every step fits a node by CPU and memory")


def _secrets(cluster: Cluster, spec: RunSpec) -> Iterator[Finding]:
    named = variables(spec)
    if spec.cluster.secret is None:
        if brings_store(spec):
            yield Finding("ok", "the run brings its own store, and makes its keys")
        return
    found = cluster.get("Secret", spec.cluster.secret)
    if found is None:
        keys = " ".join(f"--from-literal={name}=..." for name in named) or "--from-literal=..."
        do = f"kubectl create secret generic {spec.cluster.secret} -n {cluster.namespace} {keys}"
        yield Finding("wrong", f"there is no Secret {spec.cluster.secret}", do)
        return
    lacking = sorted(set(named) - set(found.get("data") or {}))
    for name in lacking:
        do = f"kubectl edit secret {spec.cluster.secret}, or mend {named[name]}"
        yield Finding("wrong", f"Secret {spec.cluster.secret} has no key {name} ({named[name]})", do)
    if not lacking:
        yield Finding("ok", f"Secret {spec.cluster.secret} has every key that the run file names")


def _claims(cluster: Cluster, spec: RunSpec) -> Iterator[Finding]:
    names = [volume.claim for volume in spec.cluster.volumes]
    names += [spec.cluster.model_cache] if spec.cluster.model_cache is not None else []
    for name in names:
        if cluster.get("PersistentVolumeClaim", name) is None:
            yield Finding("wrong", f"there is no claim {name}", "make it, or mend cluster.volumes")
        else:
            yield Finding("ok", f"claim {name} is there")


def _monitor(cluster: Cluster, spec: RunSpec) -> Iterator[Finding]:
    if spec.cluster.pod_monitor is None:
        return
    if cluster.knows("PodMonitor"):
        yield Finding("ok", "the cluster has PodMonitor")
    else:
        yield Finding(
            "wrong",
            "the cluster has no PodMonitor",
            "install the Prometheus Operator, or leave cluster.pod_monitor out",
        )


def _rights(cluster: Cluster, objects: list[Object]) -> Iterator[Finding]:
    """Ask whether the caller may make every kind of object that the run consists of."""
    lacking = []
    for kind in dict.fromkeys(one["kind"] for one in objects):
        group, plural = group_of(kind)
        asked: Mapping[str, object] = {
            "namespace": "" if kind == "Namespace" else cluster.namespace,
            "verb": "patch",
            "group": group,
            "resource": plural,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        try:
            if not cluster.review(review).get("status", {}).get("allowed"):
                lacking.append(plural)
        except ClusterError as error:
            yield Finding("unknown", f"your rights: {error.found}")
            return
    if lacking:
        do = f"ask for create, patch, get and list on {', '.join(lacking)} in {cluster.namespace}"
        yield Finding("wrong", f"you may not apply {', '.join(lacking)}", do)
    else:
        yield Finding("ok", "you may apply every object of the run")
