"""What the pods of a run may speak to: each other, DNS, the store, the hub, and what the run file names."""

from __future__ import annotations

from urllib.parse import urlsplit

from dama.manifests.monitor import PORT
from dama.manifests.names import APP, RUN, STEP, Names, Object
from dama.spec.run import RunSpec

_HTTPS = 443
_API_SERVER = 6443
_PORTS = {"http": 80, "https": _HTTPS}


def policies(spec: RunSpec, names: Names) -> list[Object]:
    """Return the policy of the run's pods, and what the release Job's may reach besides: the API server."""
    ours = {"matchLabels": {APP: "dama", RUN: names.run}}
    outward: list[Object] = [
        {"to": [{"podSelector": ours}]},
        {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
    ]
    if ports := open_ports(spec):
        outward.append({"ports": [{"port": port, "protocol": "TCP"} for port in ports]})
    scraped: list[Object] = []  # by a Prometheus in whatever namespace
    if spec.cluster.pod_monitor is not None:
        scraped = [{"ports": [{"port": PORT, "protocol": "TCP"}]}]
    labels = names.labels()
    api = [{"port": port, "protocol": "TCP"} for port in (_HTTPS, _API_SERVER)]
    return [
        _policy(
            names.run,
            labels,
            {
                "podSelector": ours,
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [{"podSelector": ours}]}, *scraped],
                "egress": outward,
            },
        ),
        _policy(
            names.releaser,
            labels,
            {
                "podSelector": {"matchLabels": {APP: "dama", RUN: names.run, STEP: "release"}},
                "policyTypes": ["Egress"],
                "egress": [{"ports": api}],
            },
        ),
    ]


def open_ports(spec: RunSpec) -> list[int]:
    """Return the TCP ports outside the run that its pods need, sorted."""
    facts = spec.hardness.facts if spec.hardness else None
    judges = [getattr(benchmark, "judge", None) for benchmark in spec.evaluate.benchmarks]
    addresses = [spec.storage.endpoint_url, *(getattr(one, "base_url", None) for one in (facts, *judges))]
    ports = {_port(str(address)) for address in addresses if address is not None}
    if _reaches_out(spec) or any(judge is not None and judge.base_url is None for judge in judges):
        ports.add(_HTTPS)
    return sorted(ports)


def _reaches_out(spec: RunSpec) -> bool:
    """Say whether something comes from the hub, or the bucket is one of AWS."""
    hardness = spec.hardness
    return (
        spec.storage.endpoint_url is None
        or spec.model.kind == "hub"
        or spec.data.kind != "miniature"
        or (hardness is not None and hardness.scorer.engine != "miniature")
        or (hardness is not None and hardness.facts.engine != "rules")
        or any(benchmark.kind != "miniature" for benchmark in spec.evaluate.benchmarks)
    )


def _port(address: str) -> int:
    parts = urlsplit(address)
    return parts.port or _PORTS[parts.scheme]


def _policy(name: str, labels: dict[str, str], body: Object) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "labels": labels},
        "spec": body,
    }
