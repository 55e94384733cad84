"""`dama doctor` tells what is wrong with a cluster, what is well and what it may not see."""

from __future__ import annotations

from person import Person
from run_specs import BUCKET

from dama.cluster.kinds import path_of


def test_doctor_finds_nothing_wrong_where_all_is_there(person: Person) -> None:
    person.write(BUCKET)
    person.server.put(path_of("Namespace", "", "aligning"), {})
    secret = {"data": {"S3_ACCESS_KEY": "", "S3_SECRET_KEY": ""}}
    person.server.put(path_of("Secret", "aligning", "s3-keys"), secret)
    for number in range(2):
        person.server.put(
            path_of("Node", "", f"n{number}"),
            {
                "spec": {},
                "status": {"allocatable": {"nvidia.com/gpu": "4", "cpu": "16", "memory": "144Gi"}},
            },
        )
    operator = {
        "spec": {"template": {"spec": {"containers": [{"image": "kubeflow/training-operator:v1.9.0"}]}}}
    }
    person.server.put(
        "/apis/apps/v1/namespaces/kubeflow/deployments/training-operator",
        {**operator, "metadata": {"namespace": "kubeflow"}, "status": {"readyReplicas": 1}},
    )
    told = person.dama("doctor", person.file)
    assert "wrong" not in told.stdout, told.stdout
    assert told.returncode == 0
    for text in (
        "Kubernetes v1.34.0",
        "the cluster has PyTorchJob",
        "training-operator:v1.9.0) is ready",
        "1 node(s) with 4 GPUs each: 2 such node(s)",
        "every step fits a node by CPU and memory",
        "Secret s3-keys has every key",
        "you may apply every object",
        "the bucket: S3_ACCESS_KEY, S3_SECRET_KEY not set here",
    ):
        assert text in told.stdout


def test_doctor_tells_everything_that_is_wrong_with_its_fix(person: Person) -> None:
    cluster = {"secret": "s3-keys", "queue": {"name": "gpus"}, "volumes": [{"claim": "models", "path": "/m"}]}
    cluster["pod_monitor"] = {}
    person.write({**BUCKET, "cluster": cluster})
    del person.server.kinds["kubeflow.org/v1"]
    person.server.put(path_of("Secret", "aligning", "s3-keys"), {"data": {"S3_ACCESS_KEY": ""}})
    person.server.put("/apis/kueue.x-k8s.io/v1beta2/namespaces/aligning/localqueues/others", {})
    person.server.refused.add(("PATCH", "roles"))
    told = person.dama("doctor", person.file)
    assert told.returncode == 1
    for text in (
        "there is no namespace aligning; to mend: kubectl create namespace aligning",
        "the cluster has no PyTorchJob; to mend: install Kubeflow's training operator",
        "no LocalQueue gpus here; to mend: set cluster.queue.name to one of: others",
        "nodes offer none of nvidia.com/gpu",
        "Secret s3-keys has no key S3_SECRET_KEY (storage.keys.secret_key)",
        "there is no claim models",
        "you may not apply roles",
        "the cluster has no PodMonitor; to mend: install the Prometheus Operator",
    ):
        assert text in told.stdout, text


def test_a_step_that_no_node_can_hold_is_told_before_its_pod_waits_for_ever(person: Person) -> None:
    allocatable = {"cpu": "15500m", "memory": "150994943Ki"}  # a KiB less than 144 GiB
    person.server.put(path_of("Node", "", "n"), {"spec": {}, "status": {"allocatable": allocatable}})
    told = person.dama("doctor", person.file).stdout
    assert "train asks for 16 CPUs and 144 GiB, and the largest nodes have 15.5 CPUs and 144 GiB" in told
    assert "lower cluster.train.cpus and cluster.train.memory_gib" in told
    assert "preprocess asks" not in told
    person.write({"cluster": {"train": {"cpus": 15}}})
    assert "train asks for 15 CPUs and 144 GiB" in person.dama("doctor", person.file).stdout
    person.write({"cluster": {"train": {"cpus": 15, "memory_gib": 127}}})
    assert "every step fits a node" in person.dama("doctor", person.file).stdout


def test_what_the_caller_may_not_see_is_unknown_not_wrong(person: Person) -> None:
    for plural in ("namespaces", "nodes", "deployments"):
        person.server.refused.add(("GET", plural))
    told = person.dama("doctor", person.file)
    assert told.stdout.count("unknown") >= 3
    assert "wrong" not in told.stdout
