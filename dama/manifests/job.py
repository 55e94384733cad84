"""The batch Jobs of a run: preprocessing, evaluating, and training where no operator does it."""

from __future__ import annotations

from typing import Any

from dama.manifests.kueue import queued
from dama.manifests.names import Names, Object, Step
from dama.manifests.pod import RUNFILE, pod
from dama.spec.run import RunSpec

WRONG_RUN_FILE, AGAIN = 2, 75
"""Exit codes of `dama`: no other start mends the first; the second asks for one."""


def preprocess_job(spec: RunSpec, names: Names) -> Object:
    """Return the Job that makes facts, scores and alpha_data; Indexed, a share of the shards a pod."""
    pods = spec.cluster.preprocess_pods
    body = {
        "completionMode": "Indexed",
        "completions": pods,
        "parallelism": pods,
        **_ends(spec),
        "template": preprocess_pod(spec, names),
    }
    return _job(spec, names, "preprocess", body, gated=False)


def evaluate_job(spec: RunSpec, names: Names) -> Object:
    """Return the suspended Job that measures both models and writes the report."""
    body = {"suspend": True, **_ends(spec), "template": evaluate_pod(spec, names)}
    return _job(spec, names, "evaluate", body, gated=True)


def training_job(spec: RunSpec, names: Names) -> Object:
    """Return the suspended Job that trains on one node without an operator."""
    body = {
        "suspend": True,
        "backoffLimit": spec.cluster.restarts,
        **_kept(spec),
        "template": training_pod(spec, names, "dama", "OnFailure"),
    }
    return _job(spec, names, "train", body, gated=True)


def preprocess_pod(spec: RunSpec, names: Names) -> Object:
    """Return the pod template of preprocessing."""
    args = ["preprocess", RUNFILE, "--pin"]
    return pod(spec, names, "preprocess", args, spec.cluster.preprocess, preprocess_gpus(spec))


def training_pod(spec: RunSpec, names: Names, container: str, restart: str | None) -> Object:
    """Return the pod template of training, one a node."""
    args = ["step", "train", RUNFILE, "--pin"]
    return pod(spec, names, "train", args, spec.cluster.train, gpus_of_a_node(spec), container, restart)


def evaluate_pod(spec: RunSpec, names: Names) -> Object:
    """Return the pod template of evaluating; where vLLM answers, a container of its image comes first."""
    gpus = evaluate_gpus(spec)
    args = ["step", "evaluate", RUNFILE, "--pin"]
    if spec.evaluate.engine != "vllm" or not spec.evaluate.benchmarks:
        return pod(spec, names, "evaluate", args, spec.cluster.evaluate, gpus)
    found = pod(spec, names, "evaluate", args, spec.cluster.evaluate, 0)
    asked = pod(
        spec, names, "evaluate", ["step", "answers", *args[2:]], spec.cluster.evaluate, gpus, "answers"
    )
    (first,) = asked["spec"]["containers"]
    found["spec"]["initContainers"] = [{**first, "image": spec.images.preprocess}]
    if "runtimeClassName" in asked["spec"]:
        found["spec"]["runtimeClassName"] = asked["spec"]["runtimeClassName"]
    return found


def gpus_of_a_node(spec: RunSpec) -> int:
    """Return the GPUs of a training pod."""
    return spec.train.ranks // spec.cluster.nodes if spec.train.device == "cuda" else 0


def evaluate_gpus(spec: RunSpec) -> int:
    """Return the GPUs of the evaluating pod."""
    if spec.train.device != "cuda" or not spec.evaluate.benchmarks:
        return 0
    return spec.evaluate.tensor_parallel if spec.evaluate.engine == "vllm" else 1


def preprocess_gpus(spec: RunSpec) -> int:
    """Return the GPUs of a preprocessing pod."""
    if spec.cluster.preprocess_gpus is not None:
        return spec.cluster.preprocess_gpus
    return 1 if spec.train.device == "cuda" and spec.hardness is not None else 0


def failure_policy(container: str) -> Object:
    """Return which ends of a pod end its Job, and which do not count as failures."""
    return {
        "rules": [
            {
                "action": "FailJob",
                "onExitCodes": {"containerName": container, "operator": "In", "values": [WRONG_RUN_FILE]},
            },
            {
                "action": "Ignore",
                "onExitCodes": {"containerName": container, "operator": "In", "values": [AGAIN]},
            },
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        ]
    }


def _ends(spec: RunSpec) -> dict[str, Any]:
    return {
        "backoffLimit": spec.cluster.restarts,
        "podFailurePolicy": failure_policy("dama"),
        "podReplacementPolicy": "Failed",
        **_kept(spec),
    }


def _kept(spec: RunSpec) -> dict[str, Any]:
    hours = spec.cluster.keep_hours
    return {} if hours is None else {"ttlSecondsAfterFinished": hours * 3600}


def _job(spec: RunSpec, names: Names, step: Step, body: Object, gated: bool) -> Object:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": names.step(step), **queued(spec.cluster.queue, names.labels(step), gated)},
        "spec": body,
    }
