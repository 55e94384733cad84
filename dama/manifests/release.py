"""The release Job: who may do what, and the pod that waits for preprocessing and releases training."""

from __future__ import annotations

from dama.manifests.job import WRONG_RUN_FILE
from dama.manifests.names import Names, Object
from dama.manifests.placed import brings_store
from dama.manifests.pod import RUNFILE, around, environment, metadata, tight
from dama.spec.run import RunSpec

FAILED = 1


def accounts(spec: RunSpec, names: Names) -> list[Object]:
    """Return the service accounts: of the pods, which may do nothing, unless it is given; of the release."""
    found = [_account(names.releaser, names, {})]
    if spec.cluster.service_account is None:
        found.insert(0, _account(names.account, names, dict(spec.cluster.service_account_annotations)))
    return found


def rights(spec: RunSpec, names: Names) -> list[Object]:
    """Return Role and RoleBinding of the release Job: its own run's objects by name, and nothing else.

    Only making the store's Secret cannot be limited to a name, because Kubernetes knows no name then.
    """
    rules: list[Object] = []
    train = names.step("train")
    if spec.cluster.backend == "trainjob":
        rules.append(_rule("trainer.kubeflow.org", "trainjobs", ["get"], [train]))
    else:
        jobs = [names.step("preprocess"), names.step("evaluate")]
        if spec.cluster.backend == "job":
            jobs.append(train)
        else:
            rules.append(_rule("kubeflow.org", "pytorchjobs", ["get", "patch"], [train]))
        rules.append(_rule("batch", "jobs", ["get"], jobs))
        rules.append(_rule("batch", "jobs", ["patch"], jobs[1:]))
    if brings_store(spec):
        rules.append(_rule("", "secrets", ["get"], [names.store]))
        rules.append({"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]})
    name, labels, group = names.step("release"), names.labels("release"), "rbac.authorization.k8s.io"
    return [
        {
            "apiVersion": f"{group}/v1",
            "kind": "Role",
            "metadata": {"name": name, "labels": labels},
            "rules": rules,
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name, "labels": labels},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": names.releaser}],
        },
    ]


def release_job(spec: RunSpec, names: Names) -> Object:
    """Return the Job that waits, releases and keeps watching until training and evaluating have ended."""
    args = ["release", RUNFILE]
    for step in ("preprocess", "train", "evaluate"):
        args += [f"--{step}", names.step(step)]
    container = {
        "name": "dama",
        "image": spec.images.control,
        "imagePullPolicy": spec.images.pull,
        "command": ["dama"],
        "args": args,
        "env": [
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            *_without_secret_store(spec, names),
        ],
        "resources": {"requests": {"cpu": "50m", "memory": "192Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": tight(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "run", "mountPath": "/etc/dama", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - inside the pod
            {"name": "tmp", "mountPath": "/scratch"},
        ],
    }
    body = {
        **around(spec, names.releaser, token=True),
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 10,
        "containers": [container],
        "volumes": [
            {"name": "run", "configMap": {"name": names.runfile}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
        ],
    }
    job: Object = {
        "backoffLimit": 20,
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "FailJob",
                    "onExitCodes": {
                        "containerName": "dama",
                        "operator": "In",
                        "values": [FAILED, WRONG_RUN_FILE],
                    },
                },
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            ]
        },
        "podReplacementPolicy": "Failed",
        "template": {"metadata": metadata(spec, names, "release"), "spec": body},
    }
    if spec.cluster.keep_hours is not None:
        job["ttlSecondsAfterFinished"] = spec.cluster.keep_hours * 3600
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": names.step("release"), "labels": names.labels("release")},
        "spec": job,
    }


def _without_secret_store(spec: RunSpec, names: Names) -> list[Object]:
    """Return the container's variables; the own store's keys are in a Secret that this Job makes."""
    env = environment(spec, names)
    return [one for one in env if one.get("valueFrom", {}).get("secretKeyRef", {}).get("name") != names.store]


def _account(name: str, names: Names, annotations: dict[str, str]) -> Object:
    found: Object = {"name": name, "labels": names.labels()}
    if annotations:
        found["annotations"] = annotations
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": found,
        "automountServiceAccountToken": False,
    }


def _rule(group: str, resource: str, verbs: list[str], objects: list[str]) -> Object:
    return {"apiGroups": [group], "resources": [resource], "verbs": verbs, "resourceNames": objects}
