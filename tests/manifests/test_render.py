"""What is rendered: right for the API server and the operators, restricted, the same each time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from run_specs import BUCKET, RUNS, run_spec

from dama.errors import SpecError
from dama.manifests.names import Names
from dama.manifests.render import render, to_yaml
from dama.spec.load import parse

CRDS = os.environ.get("DAMA_CRDS")
KUBERNETES = "1.34"
OURS = {"PyTorchJob", "TrainJob", "TrainingRuntime"}


def rendered(text: str = "model: llava-7b", *overrides: str) -> list[dict[str, Any]]:
    return render(run_spec(text, overrides))


def of_kind(objects: list[dict[str, Any]], kind: str, part: str = "") -> dict[str, Any]:
    found = [one for one in objects if one["kind"] == kind and part in one["metadata"]["name"]]
    assert len(found) == 1, (kind, part)
    return found[0]


def pods_of(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every pod template in the objects, with where it stands."""
    for one in objects:
        stack = [(one["kind"], one)]
        while stack:
            place, tree = stack.pop()
            if isinstance(tree, dict):
                if "containers" in tree.get("spec", {}) and "metadata" in tree:
                    yield place, tree
                stack += [(f"{place}.{key}", value) for key, value in tree.items()]
            elif isinstance(tree, list):
                stack += [(f"{place}.{number}", value) for number, value in enumerate(tree)]


@pytest.fixture(params=list(RUNS.values()), ids=list(RUNS))
def objects(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return rendered(yaml.safe_dump({"model": "llava-7b", **request.param}), "cluster.namespace=aligning")


def test_kubernetes_own_kinds_follow_its_schemas(objects: list[dict[str, Any]]) -> None:
    for one in objects:
        if one["kind"] not in OURS:
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


def test_the_pytorchjob_is_right_for_the_training_operator() -> None:
    job = of_kind(rendered(), "PyTorchJob")
    spec = job["spec"]
    assert spec["nprocPerNode"] == "4"  # a text, and never `auto`, which counts as 1
    assert spec["runPolicy"]["suspend"] is True
    assert spec["runPolicy"]["backoffLimit"] == 10
    assert "activeDeadlineSeconds" not in spec["runPolicy"]
    assert list(spec["pytorchReplicaSpecs"]) == ["Master"]
    master = spec["pytorchReplicaSpecs"]["Master"]
    assert (master["replicas"], master["restartPolicy"]) == (1, "OnFailure")
    (container,) = master["template"]["spec"]["containers"]
    assert container["name"] == "pytorch"
    assert container["args"] == ["step", "train", "/etc/dama/run.yaml", "--pin"]
    assert container["resources"]["limits"] == {"memory": "144Gi", "nvidia.com/gpu": "4"}  # 128 + 16 of shm
    shm = next(one for one in master["template"]["spec"]["volumes"] if one["name"] == "shm")
    assert shm["emptyDir"] == {"medium": "Memory", "sizeLimit": "16Gi"}
    assert master["template"]["spec"]["terminationGracePeriodSeconds"] == 900


def test_two_nodes_are_a_master_and_a_worker_with_half_the_ranks_each() -> None:
    spec = of_kind(rendered("model: llava-7b", "cluster.nodes=2"), "PyTorchJob")["spec"]
    assert spec["nprocPerNode"] == "2"
    assert [part["replicas"] for part in spec["pytorchReplicaSpecs"].values()] == [1, 1]
    limits = spec["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == "2"


@pytest.mark.parametrize("backend", ["pytorchjob", "trainjob", "job"])
def test_the_longest_names_still_fit(backend: str) -> None:
    length = 34 if backend == "trainjob" else 40
    objects = rendered(f"name: {'x' * length}\nmodel: llava-7b", f"cluster.backend={backend}")
    for one in objects:
        limit = {"PyTorchJob": 54, "TrainJob": 41}.get(one["kind"], 63)
        assert len(one["metadata"]["name"]) <= limit, one["metadata"]["name"]
        assert all(len(value) <= 63 for value in one["metadata"].get("labels", {}).values())
    assert len(of_kind(objects, "Job", "release")["metadata"]["name"] + "-99") <= 63


def test_equal_run_files_make_equal_bytes_and_another_beta_makes_another_run() -> None:
    first, same = to_yaml(rendered()), to_yaml(rendered("{train: {ranks: 4}, model: llava-7b}"))
    assert first == same
    other = rendered("model: llava-7b", "method.beta=0.2")
    names = {one["metadata"]["name"] for one in rendered()}
    shared = names & {one["metadata"]["name"] for one in other}
    assert shared == {"dama-run", "dama-run-release", "dama-run-store"}  # accounts, policies, store


def test_the_run_file_in_the_configmap_reads_back_as_the_placed_one() -> None:
    spec = run_spec("model: llava-13b", ["train.learning_rate=3e-7", "cluster.env.X='<a&b>'"])
    kept = of_kind(render(spec), "ConfigMap")
    assert kept["immutable"] is True
    back = parse(kept["data"]["run.yaml"], folder=Path("/"))
    assert back == spec
    assert Names(back).hash == Names(spec).hash


def test_the_release_job_may_touch_its_own_runs_objects_and_nothing_else() -> None:
    for backend in ("pytorchjob", "trainjob", "job"):
        for extra in ([], ["storage.uri=s3://bucket"]):
            objects = rendered("model: llava-7b", f"cluster.backend={backend}", *extra)
            names = {one["metadata"]["name"] for one in objects}
            rules = of_kind(objects, "Role")["rules"]
            open_rules = [rule for rule in rules if "resourceNames" not in rule]
            own = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}]
            assert open_rules == ([] if extra else own)
            for rule in rules:
                assert set(rule.get("resourceNames", ())) <= names
                assert set(rule["verbs"]) <= {"get", "patch", "create"}


def test_no_manifest_holds_a_key() -> None:
    objects = rendered(yaml.safe_dump({"model": "llava-7b", **BUCKET}))
    assert not [one for one in objects if one["kind"] == "Secret"]
    for _, template in pods_of(objects):
        for variable in template["spec"]["containers"][0]["env"]:
            if "KEY" in variable["name"]:
                assert variable["valueFrom"]["secretKeyRef"]["name"] == "s3-keys"
    assert not [
        one for one in rendered() if one["kind"] == "Secret"
    ]  # the own store's are made in the cluster


@pytest.mark.parametrize(
    ("gate", "labelled", "annotated"),
    [("annotation", True, True), ("label", False, False), ("pods", False, False)],
)
def test_a_queue_holds_training_and_evaluating_but_not_preprocessing(
    gate: str, labelled: bool, annotated: bool
) -> None:
    objects = rendered("model: llava-7b", f"cluster.queue={{name: gpus, gate: {gate}}}")
    label, gates = "kueue.x-k8s.io/queue-name", "kueue.x-k8s.io/admission-gated-by"
    for one in (of_kind(objects, "PyTorchJob"), of_kind(objects, "Job", "evaluate")):
        meta = one["metadata"]
        assert (label in meta["labels"], gates in meta.get("annotations", {})) == (labelled, annotated)
        assert one["spec"].get("suspend", one["spec"].get("runPolicy", {}).get("suspend")) is True
    preprocess = of_kind(objects, "Job", "preprocess")
    assert (label in preprocess["metadata"]["labels"]) is (gate != "pods")
    assert gates not in preprocess["metadata"].get("annotations", {})
    for _, template in pods_of([*objects]):
        step = template["metadata"]["labels"]["app.kubernetes.io/component"]
        wanted = gate == "pods" and step in ("preprocess", "train", "evaluate")
        assert (label in template["metadata"]["labels"]) is wanted


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("model: tiny", [7070]),
        ("model: llava-7b", [443, 7070]),
        (yaml.safe_dump({"model": "tiny", **BUCKET}), [9000]),
        ("{model: tiny, storage: {uri: 's3://alignment'}}", [443]),
        (
            "{model: tiny, hardness: {facts: {engine: served, base_url: 'http://vllm/v1', model: q}}}",
            [80, 443, 7070],
        ),
    ],
)
def test_only_the_ports_that_the_run_needs_are_open(text: str, ports: list[int]) -> None:
    policy = next(one for one in rendered(text) if one["kind"] == "NetworkPolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    opened = [rule["ports"] for rule in policy["spec"]["egress"] if "to" not in rule]
    assert [port["port"] for port in opened[0]] == [53, 53]
    assert [port["port"] for port in opened[1]] == ports


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("storage.uri=/data", "storage.uri"),
        ("storage.uri=./data", "storage.uri"),
        ("model={kind: local, path: ./llava}", "model.path"),
        ("model={kind: local, path: /models/llava}", "model.path"),
        ("hardness.scorer.weights=./clip", "hardness.scorer.weights"),
        ("hardness.facts={engine: vllm, model: {kind: local, path: /qwen}}", "hardness.facts.model.path"),
        ("evaluate.benchmarks=[{kind: amber, data: ./amber}]", "evaluate.benchmarks.0.data"),
        ("storage={uri: s3://bcd, keys: {access_key: A, secret_key: B}}", "cluster.secret"),
    ],
)
def test_what_only_this_machine_has_is_refused_with_its_path(override: str, path: str) -> None:
    with pytest.raises(SpecError) as caught:
        rendered("model: llava-7b", override)
    assert path in {problem.path for problem in caught.value.problems}
    assert all(problem.do for problem in caught.value.problems)


def test_unpushed_images_are_refused_together_with_everything_else() -> None:
    from dama.manifests.placed import placed
    from dama.spec.images import locked_images

    spec = parse("model: llava-7b\nstorage: {uri: /data}", folder=None)
    try:
        locked_images()
    except SpecError:
        with pytest.raises(SpecError) as caught:
            placed(spec)
        paths = [problem.path for problem in caught.value.problems]
        assert paths == ["storage.uri", "images.preprocess", "images.train", "images.control"]
    given = [
        f"images.{name}=x.org/y@sha256:{'0' * 64}" for name in ("preprocess", "train", "control", "store")
    ]
    assert placed(parse("model: llava-7b", given, folder=None)).images.train == given[1].partition("=")[2]
