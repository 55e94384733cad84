"""What is rendered: right for the operators, open to nothing that is not needed, the same each time."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from rendered import of_kind, pods_of, rendered
from run_specs import BUCKET, run_spec

from dama.manifests.names import Names
from dama.manifests.render import render, to_yaml
from dama.spec.load import parse


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
