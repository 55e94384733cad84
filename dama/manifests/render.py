"""A placed run file to its Kubernetes objects, in the order in which they are applied."""

from __future__ import annotations

from typing import Any

import yaml

from dama.manifests.job import evaluate_job, preprocess_job, training_job
from dama.manifests.monitor import monitors
from dama.manifests.names import STEP, Names, Object, run_text
from dama.manifests.network import policies
from dama.manifests.placed import NAMESPACE, brings_store
from dama.manifests.pytorchjob import pytorchjob
from dama.manifests.release import accounts, release_job, rights
from dama.manifests.store import store
from dama.manifests.trainjob import trainjob
from dama.spec.run import RunSpec


def render(spec: RunSpec) -> list[Object]:
    """Return the objects of a run that `placed` returned, in apply order; same spec, same objects."""
    names = Names(spec)
    objects: list[Object] = []
    namespace = spec.cluster.namespace or NAMESPACE
    if spec.cluster.create_namespace:
        objects.append(_namespace(namespace, names))
    rest = [*accounts(spec, names), *rights(spec, names), _runfile(spec, names)]
    if spec.cluster.network_policy:
        rest += policies(spec, names)
    if brings_store(spec):
        rest += store(spec, names)
    rest += monitors(spec, names)
    rest += _steps(spec, names)
    for one in rest:
        one["metadata"]["namespace"] = namespace
        for subject in one.get("subjects", ()):
            subject["namespace"] = namespace
    return objects + rest


def to_yaml(objects: list[Object]) -> str:
    """Return objects as a YAML stream; same objects, same bytes."""
    return yaml.dump_all(objects, Dumper=_Dumper, sort_keys=True, allow_unicode=True, explicit_start=True)


def file_names(objects: list[Object]) -> list[str]:
    """Return a name for the file of each object; sorted, they are in apply order."""
    names = []
    for number, one in enumerate(objects):
        labels = one["metadata"].get("labels", {})
        step = labels.get(STEP, "run" if one["kind"] != "Namespace" else "")
        names.append("-".join(filter(None, (f"{number:02d}", step, one["kind"].lower()))))
    return names


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and never an alias."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401 - any YAML tree
        return True


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _block)


def _steps(spec: RunSpec, names: Names) -> list[Object]:
    if spec.cluster.backend == "trainjob":
        return [*trainjob(spec, names), release_job(spec, names)]
    train = training_job if spec.cluster.backend == "job" else pytorchjob
    return [
        preprocess_job(spec, names),
        train(spec, names),
        evaluate_job(spec, names),
        release_job(spec, names),
    ]


def _namespace(name: str, names: Names) -> Object:
    labels = {**names.labels(), "pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _runfile(spec: RunSpec, names: Names) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": names.runfile, "labels": names.labels("run")},
        "immutable": True,
        "data": {"run.yaml": run_text(spec)},
    }
