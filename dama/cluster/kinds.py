"""The kinds of objects that a run consists of, and where the API server keeps them."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

_PLURALS = {
    "Namespace": ("v1", "namespaces"),
    "Node": ("v1", "nodes"),
    "Pod": ("v1", "pods"),
    "Event": ("v1", "events"),
    "Secret": ("v1", "secrets"),
    "ServiceAccount": ("v1", "serviceaccounts"),
    "ConfigMap": ("v1", "configmaps"),
    "PersistentVolumeClaim": ("v1", "persistentvolumeclaims"),
    "Service": ("v1", "services"),
    "Deployment": ("apps/v1", "deployments"),
    "Job": ("batch/v1", "jobs"),
    "Role": ("rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("rbac.authorization.k8s.io/v1", "rolebindings"),
    "NetworkPolicy": ("networking.k8s.io/v1", "networkpolicies"),
    "PyTorchJob": ("kubeflow.org/v1", "pytorchjobs"),
    "TrainJob": ("trainer.kubeflow.org/v1alpha1", "trainjobs"),
    "TrainingRuntime": ("trainer.kubeflow.org/v1alpha1", "trainingruntimes"),
    "PodMonitor": ("monitoring.coreos.com/v1", "podmonitors"),
    "SelfSubjectAccessReview": ("authorization.k8s.io/v1", "selfsubjectaccessreviews"),
}
_OF_THE_CLUSTER = {"Namespace", "Node", "SelfSubjectAccessReview"}


def path_of(kind: str, namespace: str, name: str | None = None) -> str:
    """Return the API server's path of an object, or of all of its kind."""
    version, plural = _PLURALS[kind]
    root = f"/api/{version}" if version == "v1" else f"/apis/{version}"
    middle = "" if kind in _OF_THE_CLUSTER else f"/namespaces/{namespace}"
    return f"{root}{middle}/{plural}" + (f"/{name}" if name is not None else "")


def group_of(kind: str) -> tuple[str, str]:
    """Return the API group ("" for the core) and the plural of a kind."""
    version, plural = _PLURALS[kind]
    group, slash, _ = version.rpartition("/")
    return (group if slash else "", plural)
