"""The client asks what it should, and tells what went wrong in the server's words and ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_server import ApiServer

from dama.cluster.client import Cluster
from dama.cluster.kinds import path_of
from dama.errors import ClusterError, NotAllowed

JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a", "labels": {"x": "y"}}, "spec": {}}


def test_the_namespace_is_the_contexts_unless_it_is_said(server: ApiServer, cluster: Cluster) -> None:
    assert cluster.namespace == "aligning"
    assert Cluster.reached("other").namespace == "other"
    assert Cluster.reached(context="x").namespace == "default"


def test_objects_are_made_found_changed_and_removed(server: ApiServer, cluster: Cluster) -> None:
    assert cluster.get("Job", "a") is None
    assert cluster.create(JOB) is True
    assert cluster.create(JOB) is False
    assert cluster.get("Job", "a") is not None
    assert [one["metadata"]["name"] for one in cluster.all("Job", {"x": "y"}) or ()] == ["a"]
    assert cluster.all("Job", {"x": "z"}) == []
    cluster.patch("Job", "a", {"spec": {"suspend": False}})
    assert server.objects[path_of("Job", "aligning", "a")]["spec"] == {"suspend": False}
    assert cluster.patch("Job", "b", {}) is None
    assert cluster.delete("Job", "a") is True
    assert cluster.delete("Job", "a") is False


def test_a_kind_that_the_cluster_does_not_have_is_none(server: ApiServer, cluster: Cluster) -> None:
    del server.kinds["kubeflow.org/v1"]
    assert cluster.all("PyTorchJob") is None
    assert cluster.get("PyTorchJob", "a") is None
    assert cluster.knows("PyTorchJob") is False
    assert cluster.knows("Job") is True


def test_apply_is_ours_and_a_dry_run_changes_nothing(server: ApiServer, cluster: Cluster) -> None:
    assert cluster.apply(JOB, dry_run=True)["spec"] == {}
    assert server.objects == {}
    cluster.apply(JOB)
    assert list(server.objects) == ["/apis/batch/v1/namespaces/aligning/jobs/a"]


def test_a_refusal_is_told_in_the_servers_words(server: ApiServer, cluster: Cluster) -> None:
    server.refused.add(("GET", "jobs"))
    with pytest.raises(NotAllowed, match="user u cannot GET"):
        cluster.get("Job", "a")


def test_a_server_that_is_busy_is_asked_again_for_a_while(
    server: ApiServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dama.cluster.client._PAUSES_SECONDS", (0.0, 0.0))
    server.busy = 2
    assert cluster.apply(JOB)["kind"] == "Job"
    server.busy = 3
    with pytest.raises(ClusterError, match="failed calling webhook"):
        cluster.apply(JOB)


def test_a_server_that_is_not_there_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = ApiServer(url="http://127.0.0.1:1").kubeconfig(tmp_path / "k")
    monkeypatch.setenv("KUBECONFIG", str(gone))
    with pytest.raises(ClusterError, match="does not answer"):
        Cluster.reached().version()


def test_no_kubeconfig_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    with pytest.raises(ClusterError, match="no cluster"):
        Cluster.reached()


def test_logs_come_line_by_line_and_none_before_the_start(server: ApiServer, cluster: Cluster) -> None:
    server.objects[path_of("Pod", "aligning", "p")] = {"metadata": {"name": "p"}}
    assert list(cluster.log("p", "dama", follow=False)) == []
    server.logs["p"] = "one\ntwo β\nthree"
    assert list(cluster.log("p", "dama", follow=True, tail=5)) == ["one", "two β", "three"]


def test_an_object_that_is_never_gone_is_told(server: ApiServer, cluster: Cluster) -> None:
    cluster.create(JOB)
    with pytest.raises(ClusterError, match="still being removed"):
        cluster.until_gone("Job", "a", seconds=1)
    cluster.delete("Job", "a")
    cluster.until_gone("Job", "a")
