"""The S3 server of a run that names no bucket: versitygw on a volume that outlives the run.

Its keys are made in the cluster by the release Job, once, so that no manifest holds any; its bucket is the
folder that the volume is mounted at.
"""

from __future__ import annotations

from dama.manifests.names import APP, RUN, STEP, Names, Object
from dama.manifests.placed import ACCESS_KEY, BUCKET, SECRET_KEY, STORE_PORT
from dama.manifests.pod import around, tight
from dama.spec.run import RunSpec


def store(spec: RunSpec, names: Names) -> list[Object]:
    """Return claim, Deployment and Service of the store."""
    own, labels = spec.cluster.store, names.labels("store")
    selector = {APP: "dama", RUN: names.run, STEP: "store"}
    claim: Object = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{own.size_gib}Gi"}},
    }
    if own.storage_class is not None:
        claim["storageClassName"] = own.storage_class
    container = {
        "name": "store",
        "image": spec.images.store,
        "imagePullPolicy": spec.images.pull,
        "args": ["--port", f":{STORE_PORT}", "--health", "/healthz", "posix", "/data"],
        "env": [
            _key("ROOT_ACCESS_KEY", ACCESS_KEY, names.store),
            _key("ROOT_SECRET_KEY", SECRET_KEY, names.store),
        ],
        "ports": [{"name": "s3", "containerPort": STORE_PORT, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "s3"}, "periodSeconds": 3},
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": tight(),
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/data", "subPath": "locks"},
            {"name": "data", "mountPath": f"/data/{BUCKET}", "subPath": BUCKET},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - inside the pod
        ],
    }
    pod = {
        **around(spec, names.account),
        "containers": [container],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": names.store}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
        ],
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": names.store,
                "labels": labels,
                "annotations": {"helm.sh/resource-policy": "keep"},
            },
            "spec": claim,
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": names.store, "labels": labels},
            "spec": {
                "replicas": 1,
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": selector},
                "template": {
                    "metadata": {
                        "labels": labels,
                        "annotations": {"sidecar.istio.io/inject": "false"},
                    },
                    "spec": pod,
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": names.store, "labels": labels},
            "spec": {
                "selector": selector,
                "ports": [{"name": "s3", "port": STORE_PORT, "targetPort": "s3", "protocol": "TCP"}],
            },
        },
    ]


def _key(variable: str, key: str, secret: str) -> Object:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
