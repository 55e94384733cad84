"""Every object follows the definition of its kind: Kubernetes' own, Kubeflow's models, the operators'."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from rendered import of_kind, pods_of, rendered
from run_specs import RUNS

CRDS = os.environ.get("DAMA_CRDS")
KUBERNETES = "1.34"
OURS = {"PyTorchJob", "TrainJob", "TrainingRuntime"}
PROMETHEUS = {"PodMonitor"}
"""The Prometheus Operator's, whose definition is not at hand: test_monitor.py looks at it."""


@pytest.fixture(params=list(RUNS.values()), ids=list(RUNS))
def objects(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return rendered(yaml.safe_dump({"model": "llava-7b", **request.param}), "cluster.namespace=aligning")


def test_kubernetes_own_kinds_follow_its_schemas(objects: list[dict[str, Any]]) -> None:
    for one in objects:
        if one["kind"] not in OURS | PROMETHEUS:
            kubernetes_validate.validate(one, KUBERNETES, strict=True)


def test_every_pod_follows_kubernetes_schema_and_is_restricted(objects: list[dict[str, Any]]) -> None:
    pods = list(pods_of(objects))
    assert len(pods) >= 4
    for place, template in pods:
        spec = template["spec"]
        whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}
        kubernetes_validate.validate(whole, KUBERNETES, strict=True)
        around = spec["securityContext"]
        assert (around["runAsNonRoot"], around["seccompProfile"]) == (True, {"type": "RuntimeDefault"}), place
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            inner = container["securityContext"]
            assert inner["allowPrivilegeEscalation"] is False
            assert inner["readOnlyRootFilesystem"] is True
            assert inner["capabilities"] == {"drop": ["ALL"]}
            assert "@sha256:" in container["image"]
        kinds = {key for volume in spec["volumes"] for key in volume if key != "name"}
        assert kinds <= {"configMap", "emptyDir", "persistentVolumeClaim", "ephemeral"}, place
        step = template["metadata"]["labels"]["app.kubernetes.io/component"]
        assert spec["automountServiceAccountToken"] is (step == "release")
        assert template["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false"


@pytest.mark.parametrize("nodes", [1, 2])
def test_the_pytorchjob_is_what_kubeflows_models_know(nodes: int) -> None:
    from kubeflow.training.api_client import ApiClient

    class Answer:
        data = json.dumps(of_kind(rendered("model: llava-7b", f"cluster.nodes={nodes}"), "PyTorchJob"))

    client = ApiClient()
    model = client.deserialize(Answer, "KubeflowOrgV1PyTorchJob")
    assert client.sanitize_for_serialization(model) == json.loads(Answer.data)


@cache
def _definitions() -> dict[tuple[str, str], Any]:
    """Return a validator of every kind and version that the operators define."""
    found = {}
    for path in Path(str(CRDS)).glob("*.yaml"):
        for one in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader):
            if one and one["kind"] == "CustomResourceDefinition":
                for version in one["spec"]["versions"]:
                    schema = _closed(version["schema"]["openAPIV3Schema"])
                    key = one["spec"]["names"]["kind"], f"{one['spec']['group']}/{version['name']}"
                    found[key] = jsonschema.Draft202012Validator(schema)
    return found


@pytest.mark.skipif(CRDS is None, reason="needs DAMA_CRDS, a folder of the operators' definitions")
def test_the_operators_kinds_follow_their_definitions(objects: list[dict[str, Any]]) -> None:
    for one in objects:
        if one["kind"] in OURS:
            check = _definitions()[one["kind"], one["apiVersion"]]
            errors = [f"{error.json_path}: {error.message[:200]}" for error in check.iter_errors(one)]
            assert errors == []


def _closed(schema: Any, top: bool = True) -> Any:
    """Return a structural schema that refuses unknown keys, which the API server would drop in silence."""
    if isinstance(schema, list):
        return [_closed(item, False) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value, False) for key, value in schema.items()}
    keeps = schema.get("x-kubernetes-preserve-unknown-fields") or top or "additionalProperties" in schema
    if (
        schema.get("properties")
        and isinstance(schema["properties"], dict)
        and schema.get("type")
        and not keeps
    ):
        closed["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        closed = {"type": ["integer", "string"]}
    return closed
