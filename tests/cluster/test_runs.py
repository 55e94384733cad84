"""Runs as people see them: sent, listed, followed, logged, cancelled, resumed, examined."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from api_server import ApiServer
from run_specs import BUCKET, IMAGES

from dama.cli.app import main
from dama.cluster.client import Cluster
from dama.cluster.kinds import path_of
from dama.cluster.pods import pods_of, progress_of
from dama.cluster.runs import find_run, find_runs
from dama.cluster.state import state_of
from dama.errors import ClusterError

DONE = {"conditions": [{"type": "Complete", "status": "True"}]}


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


class Person:
    """Somebody with a run file and a kubeconfig."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.write({})

    def write(self, more: dict[str, Any]) -> None:
        self.file = self.folder / "run.yaml"
        text = {"name": "mine", "model": "llava-7b", "images": IMAGES, **more}
        self.file.write_text(yaml.safe_dump(text))

    def dama(self, *arguments: str | Path) -> Said:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        code = ended.value.code
        return Said(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())

    def submit(self, *arguments: str) -> Said:
        return self.dama("submit", self.file, "--no-follow", *arguments)

    def one(self, kind: str, step: str) -> dict[str, Any]:
        plural = path_of(kind, "aligning")
        (path,) = [path for path in self.server.objects if path.startswith(f"{plural}/mine-{step}-")]
        return self.server.objects[path]

    def pod(self, step: str, number: int = 0, **status: Any) -> str:
        """Add a pod of a step, as its controller would; return its name."""
        labels = self.one("Job", "release")["metadata"]["labels"]
        name = f"mine-{step}-{number}"
        container = {
            "name": "dama",
            "resources": {"limits": {"nvidia.com/gpu": "4"} if step == "train" else {}},
        }
        one = {
            "metadata": {"labels": {**labels, "app.kubernetes.io/component": step}},
            "spec": {"containers": [container]},
            "status": {"phase": "Running", "startTime": "2026-11-21T08:00:00Z", **status},
        }
        self.server.put(path_of("Pod", "aligning", name), one)
        return name


@pytest.fixture
def person(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "kubeconfig")))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    return Person(server, tmp_path)


def test_submit_sends_exactly_what_render_prints(person: Person) -> None:
    sent = person.submit()
    assert sent.returncode == 0, sent.stderr
    rendered = person.dama("render", person.file, "--set", "cluster.namespace=aligning", "--format", "json")
    wanted = {(one["kind"], one["metadata"]["name"]): one for one in json.loads(rendered.stdout)}
    assert len(wanted) == 14
    got = {}
    for one in person.server.objects.values():
        kept = {
            key: value
            for key, value in one["metadata"].items()
            if key in ("name", "namespace", "labels", "annotations")
        }
        got[one["kind"], one["metadata"]["name"]] = {**one, "metadata": kept}
    assert got == wanted
    assert sent.stdout.count(": made") == 14


def test_submitting_again_changes_nothing_and_holds_nothing_back(person: Person) -> None:
    person.submit()
    person.one("PyTorchJob", "train")["spec"]["runPolicy"]["suspend"] = False
    before = json.dumps(person.server.objects, sort_keys=True)
    sent = person.submit()
    assert sent.returncode == 0
    assert json.dumps(person.server.objects, sort_keys=True) == before
    assert "made" not in sent.stdout
    assert sent.stdout.count("already there") == 4
    assert sent.stdout.count("unchanged") == 10


def test_a_dry_run_and_a_diff_only_tell(person: Person) -> None:
    told = person.submit("--dry-run")
    assert told.stdout.count("would be made") == 14
    diff = person.submit("--diff")
    assert "+kind: PyTorchJob" in diff.stdout
    assert person.server.patches == []
    person.submit()
    assert person.submit("--diff").stdout == ""
    policy = person.server.find("networkpolicies/mine-release")
    policy["spec"]["egress"] = []
    assert "+  - ports:" in person.submit("--diff").stdout
    assert "NetworkPolicy mine-release: would change" in person.submit("--dry-run").stdout


def test_status_tells_steps_pods_errors_and_gpu_hours(person: Person) -> None:
    person.submit()
    person.one("Job", "preprocess")["status"] = DONE
    train = person.one("PyTorchJob", "train")
    train["spec"]["runPolicy"]["suspend"] = False
    train["status"] = {"replicaStatuses": {"Master": {"active": 1}}}
    ended = {"exitCode": 1, "message": "x\ndama: error: no room; to mend: make room\n"}
    state = {"name": "dama", "restartCount": 2, "state": {"running": {}}, "lastState": {"terminated": ended}}
    name = person.pod("train", containerStatuses=[state])
    person.server.logs[name] = "loading\ntraining, dama: 3 of 12, loss 0.6\nother\n"
    person.server.put(
        "/api/v1/namespaces/aligning/events/e",
        {"type": "Warning", "message": "disk is slow", "involvedObject": {"name": name}},
    )
    told = person.dama("status", "mine")
    assert told.returncode == 0, told.stderr
    for text in (
        "running",
        "preprocess  done",
        "train       running  1 Running  2",
        "train: training, dama: 3 of 12, loss 0.6",
        "exit code 1: dama: error: no room; to mend: make room",
        "disk is slow",
        "GPU-hours so far: ",
    ):
        assert text in told.stdout
    assert "evaluate    held" in told.stdout


def test_a_failed_run_is_told_with_its_step_and_ends_with_1(person: Person) -> None:
    person.submit()
    person.one("Job", "preprocess")["status"] = {
        "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]
    }
    told = person.dama("status", "mine")
    assert told.returncode == 1
    assert "preprocess: BackoffLimitExceeded" in told.stdout
    followed = person.dama("status", "mine", "--follow")
    assert followed.returncode == 1
    assert person.dama("ls").stdout.count("failed") == 1


def test_following_ends_with_the_run(person: Person) -> None:
    person.submit()
    person.one("Job", "release")["status"] = DONE
    followed = person.dama("status", "mine", "--follow")
    assert followed.returncode == 0
    assert "done" in followed.stdout


def test_logs_name_the_pod_in_front_of_each_line(person: Person) -> None:
    person.submit()
    for step in ("preprocess", "train"):
        person.server.logs[person.pod(step)] = f"{step} one\n{step} two\n"
    told = person.dama("logs", "mine")
    assert told.stdout.splitlines() == [
        f"mine-{step}-0  {step} {line}" for step in ("preprocess", "train") for line in ("one", "two")
    ]
    assert person.dama("logs", "mine", "train").stdout.count("\n") == 2
    person.one("Job", "release")["status"] = DONE
    followed = person.dama("logs", "mine", "train", "--follow")
    assert followed.stdout.splitlines() == ["mine-train-0  train one", "mine-train-0  train two"]


def test_a_cancelled_run_is_resumed_as_it_was(person: Person) -> None:
    person.submit()
    before = {path: one["spec"] for path, one in person.server.objects.items() if "jobs/" in path}
    told = person.dama("cancel", "mine")
    assert told.returncode == 0
    assert told.stdout.splitlines()[0].startswith("Job mine-release-")
    assert not [path for path in person.server.objects if "jobs/" in path]
    assert "cancelled" in person.dama("ls").stdout
    resumed = person.dama("resume", "mine")
    assert resumed.returncode == 0, resumed.stderr
    assert {path: one["spec"] for path, one in person.server.objects.items() if "jobs/" in path} == before


def test_a_failed_run_is_resumed_without_what_has_ended_well(person: Person) -> None:
    person.submit()
    done, failed = person.one("Job", "preprocess"), person.one("PyTorchJob", "train")
    done["status"] = DONE
    failed["status"] = {"conditions": [{"type": "Failed", "status": "True", "reason": "x"}]}
    assert person.dama("resume", "mine").returncode == 0
    assert person.one("Job", "preprocess")["status"] == DONE
    assert "status" not in person.one("PyTorchJob", "train")


def test_a_run_that_is_on_its_way_is_not_resumed(person: Person) -> None:
    person.submit()
    refused = person.dama("resume", "mine")
    assert refused.returncode == 1
    assert "wanted one that was cancelled or has failed" in refused.stderr


def test_a_run_that_nobody_sent_is_told(person: Person, cluster: Cluster) -> None:
    told = person.dama("status", "mine")
    assert told.returncode == 1
    assert "no run 'mine' in namespace aligning" in told.stderr
    with pytest.raises(ClusterError):
        find_run(cluster, "mine")


def test_two_run_files_of_one_name_are_two_runs_and_the_newest_is_meant(
    person: Person, cluster: Cluster
) -> None:
    person.submit()
    person.submit("--set", "method.beta=0.2")
    newest, older = find_runs(cluster, "mine")
    assert newest.hash != older.hash
    assert find_run(cluster, "mine").hash == newest.hash
    assert find_run(cluster, f"mine-{older.hash}").hash == older.hash


def test_doctor_finds_nothing_wrong_where_all_is_there(person: Person) -> None:
    person.write(BUCKET)
    person.server.put(path_of("Namespace", "", "aligning"), {})
    secret = {"data": {"S3_ACCESS_KEY": "", "S3_SECRET_KEY": ""}}
    person.server.put(path_of("Secret", "aligning", "s3-keys"), secret)
    for number in range(2):
        person.server.put(
            path_of("Node", "", f"n{number}"),
            {"spec": {}, "status": {"allocatable": {"nvidia.com/gpu": "4"}}},
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
        "Secret s3-keys has every key",
        "you may apply every object",
        "the bucket: S3_ACCESS_KEY, S3_SECRET_KEY not set here",
    ):
        assert text in told.stdout


def test_doctor_tells_everything_that_is_wrong_with_its_fix(person: Person) -> None:
    cluster = {"secret": "s3-keys", "queue": {"name": "gpus"}, "volumes": [{"claim": "models", "path": "/m"}]}
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
    ):
        assert text in told.stdout, text


def test_what_the_caller_may_not_see_is_unknown_not_wrong(person: Person) -> None:
    for plural in ("namespaces", "nodes", "deployments"):
        person.server.refused.add(("GET", plural))
    told = person.dama("doctor", person.file)
    assert told.stdout.count("unknown") >= 3
    assert "wrong" not in told.stdout


@pytest.mark.parametrize(
    ("one", "phase"),
    [
        (None, "absent"),
        ({"kind": "Job", "spec": {"suspend": True}}, "held"),
        ({"kind": "PyTorchJob", "spec": {"runPolicy": {"suspend": True}}}, "held"),
        ({"kind": "Job", "spec": {}}, "waiting"),
        ({"kind": "Job", "spec": {}, "status": {"active": 1}}, "running"),
        (
            {"kind": "PyTorchJob", "spec": {}, "status": {"replicaStatuses": {"Master": {"active": 1}}}},
            "running",
        ),
        ({"kind": "TrainJob", "spec": {}, "status": {"jobsStatus": [{"active": 1}]}}, "running"),
        ({"kind": "Job", "spec": {}, "status": DONE}, "done"),
        (
            {"kind": "Job", "spec": {}, "status": {"conditions": [{"type": "Failed", "status": "False"}]}},
            "waiting",
        ),
    ],
)
def test_phases_are_read_off_every_kind(one: dict[str, Any] | None, phase: str) -> None:
    assert state_of(one).phase == phase


def test_why_a_pod_waits_is_its_phase(person: Person, cluster: Cluster) -> None:
    person.submit()
    waiting = {"name": "dama", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    person.pod("train", 0, phase="Pending", containerStatuses=[waiting])
    condition = {"type": "PodScheduled", "reason": "Unschedulable", "message": "no GPUs"}
    person.pod("train", 1, phase="Pending", conditions=[condition])
    phases = [pod.phase for pod in pods_of(cluster, find_run(cluster, "mine"))]
    assert phases == ["ImagePullBackOff", "Unschedulable: no GPUs"]


def test_progress_is_the_newest_line_that_says_how_far() -> None:
    assert progress_of(["facts: 1 of 9", "facts: 3 of 9", "done"]) == "facts: 3 of 9"
    assert progress_of(["nothing"]) == ""
