"""A PodMonitor finds the one pod that serves a training's numbers, and nobody has one without asking."""

from __future__ import annotations

import pytest
from rendered import of_kind, pods_of, rendered

PORTS = [{"name": "metrics", "containerPort": 9464}]


def test_without_asking_nothing_is_served() -> None:
    objects = rendered()
    assert not [one for one in objects if one["kind"] == "PodMonitor"]
    assert "DAMA_METRICS_PORT" not in str(objects)
    assert len(of_kind(objects, "NetworkPolicy", "dama-run-release")["spec"]["egress"]) == 1


@pytest.mark.parametrize(
    ("backend", "label"),
    [
        ("pytorchjob", {"training.kubeflow.org/replica-type": "master"}),
        ("trainjob", {"batch.kubernetes.io/job-completion-index": "0"}),
        ("job", {}),
    ],
)
def test_the_first_pod_of_training_is_chosen_by_its_labels(backend: str, label: dict[str, str]) -> None:
    objects = rendered("model: llava-7b", f"cluster.backend={backend}", "cluster.pod_monitor={}")
    monitor = of_kind(objects, "PodMonitor")
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["spec"]["podMetricsEndpoints"] == [{"port": "metrics", "interval": "15s"}]
    wanted = dict(monitor["spec"]["selector"]["matchLabels"])
    for name, value in label.items():
        assert wanted.pop(name) == value  # put there by the operator
    served = {}
    for place, template in pods_of(objects):
        (container,) = template["spec"]["containers"]
        named = {one["name"]: one.get("value") for one in container["env"]}
        assert (container.get("ports") == PORTS) == ("DAMA_METRICS_PORT" in named), place
        if container.get("ports") == PORTS:
            served[place] = template["metadata"]["labels"], named["DAMA_METRICS_PORT"]
    assert served
    for labels, port in served.values():
        assert wanted.items() <= labels.items()
        assert port == "9464"


def test_a_prometheus_of_another_namespace_may_ask_for_them_and_for_nothing_else() -> None:
    objects = rendered("model: llava-7b", "cluster.pod_monitor={}")
    policies = [one for one in objects if one["kind"] == "NetworkPolicy"]
    opened = [rule for one in policies for rule in one["spec"].get("ingress", ()) if "from" not in rule]
    assert opened == [{"ports": [{"port": 9464, "protocol": "TCP"}]}]


def test_labels_are_added_and_never_replace_the_runs_own() -> None:
    labels = "{release: prometheus, app.kubernetes.io/name: other}"
    monitor = of_kind(rendered("model: llava-7b", f"cluster.pod_monitor={{labels: {labels}}}"), "PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["metadata"]["labels"]["app.kubernetes.io/name"] == "dama"
