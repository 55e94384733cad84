"""The pods of a run: what all of them share, whoever starts them.

They are admitted where a namespace enforces `restricted`: no root, no privileges, a root file system that
cannot be written, and named volumes for what libraries cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dama.manifests.monitor import METRICS_PORT, PORT, PORT_NAME
from dama.manifests.names import Names, Object, Step
from dama.manifests.placed import ACCESS_KEY, SECRET_KEY, brings_store, variables
from dama.spec.pods import StepResources
from dama.spec.run import RunSpec

RUNFILE = "/etc/dama/run.yaml"
UID = 10001
"""The images' user."""
_CACHES = {
    "HF_HOME": "/hub",
    "HOME": "/cache",
    "MPLCONFIGDIR": "/cache/matplotlib",
    "TORCHINDUCTOR_CACHE_DIR": "/cache/inductor",
    "TORCH_EXTENSIONS_DIR": "/cache/extensions",
    "TRITON_CACHE_DIR": "/cache/triton",
    "VLLM_CACHE_ROOT": "/cache/vllm",
    "XDG_CACHE_HOME": "/cache/xdg",
}
_HUB_TOKEN = "HF_TOKEN"  # noqa: S105 - the name of a variable


def pod(
    spec: RunSpec,
    names: Names,
    step: Step,
    args: list[str],
    resources: StepResources,
    gpus: int,
    container: str = "dama",
    restart: str | None = "Never",
) -> Object:
    """Return the pod template of a step."""
    cluster = spec.cluster
    image = {"preprocess": spec.images.preprocess}.get(step, spec.images.train)
    grace = cluster.grace_seconds if step == "train" else 30
    monitored = step == "train" and cluster.pod_monitor is not None
    main: Object = {
        "name": container,
        "image": image,
        "imagePullPolicy": spec.images.pull,
        "command": ["dama"],
        "args": args,
        "env": environment(spec, names, {METRICS_PORT: str(PORT)} if monitored else {}),
        "resources": _resources(resources, gpus),
        "securityContext": tight(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "run", "mountPath": "/etc/dama", "readOnly": True},
            {"name": "scratch", "mountPath": "/scratch"},
            {"name": "scratch", "mountPath": "/tmp", "subPath": "tmp"},  # noqa: S108 - inside the pod
            {"name": "scratch", "mountPath": "/cache", "subPath": "cache"},
            {"name": "hub", "mountPath": "/hub"}
            if cluster.model_cache is not None
            else {"name": "scratch", "mountPath": "/hub", "subPath": "hub"},
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - inside the pod
            *(
                {"name": f"volume-{number}", "mountPath": volume.path, "readOnly": volume.read_only}
                for number, volume in enumerate(cluster.volumes)
            ),
        ],
    }
    if monitored:
        main["ports"] = [{"name": PORT_NAME, "containerPort": PORT}]
    body: dict[str, Any] = {
        **around(spec, names.account),
        "terminationGracePeriodSeconds": grace,
        "containers": [main],
        "volumes": _volumes(spec, names, resources),
    }
    if restart is not None:
        body["restartPolicy"] = restart
    if cluster.runtime_class is not None and gpus:
        body["runtimeClassName"] = cluster.runtime_class
    return {"metadata": metadata(spec, names, step, gpus=gpus), "spec": body}


def metadata(spec: RunSpec, names: Names, step: Step, gpus: int = 0) -> Object:
    """Return a pod's labels and annotations."""
    labels = names.labels(step)
    queue = spec.cluster.queue
    if queue is not None and queue.gate == "pods" and step != "release":
        labels["kueue.x-k8s.io/queue-name"] = queue.name
    return {"labels": labels, "annotations": {"sidecar.istio.io/inject": "false"}}


def around(spec: RunSpec, account: str, token: bool = False) -> Object:
    """Return what every pod of the run has around its containers."""
    cluster = spec.cluster
    body: dict[str, Any] = {
        "serviceAccountName": account,
        "automountServiceAccountToken": token,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": UID,
            "runAsGroup": UID,
            "fsGroup": UID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if cluster.pull_secrets:
        body["imagePullSecrets"] = [{"name": name} for name in cluster.pull_secrets]
    if cluster.node_selector:
        body["nodeSelector"] = dict(cluster.node_selector)
    if cluster.tolerations:
        body["tolerations"] = [one.model_dump(exclude_none=True) for one in cluster.tolerations]
    if cluster.affinity:
        body["affinity"] = cluster.affinity
    if cluster.topology_spread:
        body["topologySpreadConstraints"] = list(cluster.topology_spread)
    if cluster.priority_class is not None:
        body["priorityClassName"] = cluster.priority_class
    return body


def tight() -> Object:
    """Return the security context of every container."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def environment(spec: RunSpec, names: Names, more: Mapping[str, str] = {}) -> list[Object]:
    """Return the variables of a container: caches, `more`, the run file's own, and keys out of Secrets."""
    plain = {"PYTHONUNBUFFERED": "1", **_CACHES, **more, **spec.cluster.env}
    env: list[Object] = [{"name": name, "value": plain[name]} for name in sorted(plain)]
    if brings_store(spec):
        env += [_from_secret(name, names.store) for name in (ACCESS_KEY, SECRET_KEY)]
    if spec.cluster.secret is not None:
        named = variables(spec)
        env += [_from_secret(name, spec.cluster.secret) for name in sorted(named)]
        if _HUB_TOKEN not in named:
            env.append(_from_secret(_HUB_TOKEN, spec.cluster.secret, optional=True))
    return env


def _from_secret(name: str, secret: str, optional: bool = False) -> Object:
    key: Object = {"name": secret, "key": name}
    if optional:
        key["optional"] = True
    return {"name": name, "valueFrom": {"secretKeyRef": key}}


def _resources(resources: StepResources, gpus: int) -> Object:
    memory = f"{resources.memory_gib + resources.shm_gib}Gi"
    asked: Object = {"cpu": f"{round(resources.cpus * 1000)}m", "memory": memory}
    limits: Object = {"memory": memory}
    if gpus:
        asked["nvidia.com/gpu"] = limits["nvidia.com/gpu"] = str(gpus)
    return {"requests": asked, "limits": limits}


def _volumes(spec: RunSpec, names: Names, resources: StepResources) -> list[Object]:
    cluster, scratch = spec.cluster, spec.cluster.scratch
    if scratch.claim:
        claim: Object = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": f"{scratch.size_gib}Gi"}},
        }
        if scratch.storage_class is not None:
            claim["storageClassName"] = scratch.storage_class
        made: Object = {"ephemeral": {"volumeClaimTemplate": {"spec": claim}}}
    else:
        made = {"emptyDir": {"sizeLimit": f"{scratch.size_gib}Gi"}}
    hub: list[Object] = []
    if cluster.model_cache is not None:
        hub = [{"name": "hub", "persistentVolumeClaim": {"claimName": cluster.model_cache}}]
    return [
        {"name": "run", "configMap": {"name": names.runfile}},
        {"name": "scratch", **made},
        *hub,
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": f"{resources.shm_gib}Gi"}},
        *(
            {
                "name": f"volume-{number}",
                "persistentVolumeClaim": {"claimName": volume.claim, "readOnly": volume.read_only},
            }
            for number, volume in enumerate(cluster.volumes)
        ),
    ]
