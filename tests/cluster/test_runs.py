"""Runs as people see them: sent, listed, followed, logged, cancelled, resumed."""

from __future__ import annotations

import json

import pytest
from person import DONE, Person

from dama.cluster.client import Cluster
from dama.cluster.runs import find_run, find_runs
from dama.errors import ClusterError


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


def test_an_own_store_that_does_not_run_is_told(person: Person) -> None:
    person.submit()
    waits = {"name": "dama", "state": {"waiting": {"reason": "ErrImagePull"}}}
    name = person.pod("store", phase="Pending", containerStatuses=[waits])
    failed = {"type": "Warning", "message": "no such host", "involvedObject": {"name": name}}
    person.server.put("/api/v1/namespaces/aligning/events/e", failed)
    told = person.dama("status", "mine").stdout
    assert f"the run's S3 server does not run: {name}: ErrImagePull" in told
    assert f"{name}: no such host" in told
    person.pod("store")
    assert "S3 server" not in person.dama("status", "mine").stdout


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
