"""The chart makes the objects that `dama render` makes, whatever the values, with helm 3 and 4."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from run_specs import IMAGES, RUNS, run_spec

from dama.errors import SpecError
from dama.manifests.render import render
from dama.spec.load import laid_over

CHART = Path(__file__).parent.parent.parent / "helm"
HELMS = [name for name in ("helm", "helm4") if shutil.which(name)]
APIS = ",".join(
    (
        "kubeflow.org/v1/PyTorchJob",
        "trainer.kubeflow.org/v1alpha1/TrainJob",
        "monitoring.coreos.com/v1/PodMonitor",
    )
)
NAMESPACE = "aligning"

pytestmark = pytest.mark.skipif(not HELMS, reason="needs helm on PATH")


def templated(values: dict[str, Any], *arguments: str, helm: str = HELMS[0] if HELMS else "") -> str:
    """Return what helm makes of the chart; CalledProcessError with what it said."""
    command = [helm, "template", values.get("name", "dama-run"), str(CHART), "--namespace", NAMESPACE]
    return subprocess.run(
        [*command, "--values", "-", "--api-versions", APIS, *arguments],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "KUBECONFIG": os.devnull},
    ).stdout


def objects_of(text: str) -> dict[tuple[str, str], Any]:
    """Return the objects of a YAML stream by kind and name, without those of helm's tests."""
    found = {}
    read = [one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one]
    for one in (each for top in read for each in top.get("items", [top])):
        if "helm.sh/hook" not in (one["metadata"].get("annotations") or {}):
            found[one["kind"], one["metadata"]["name"]] = one
    return found


def rendered(values: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """Return the objects that `dama render` makes of the same run file."""
    text = yaml.safe_dump({"model": "llava-7b", **values})
    objects = render(run_spec(text, [f"cluster.namespace={NAMESPACE}"]))
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def check_parity(values: dict[str, Any], helm: str, *arguments: str) -> None:
    """Assert that chart and render make the same objects, but for what one may not say to the other."""
    chart = objects_of(templated(laid_over({"images": IMAGES}, values), *arguments, helm=helm))
    ours = rendered(laid_over({"images": IMAGES}, values))
    assert set(chart) == set(ours)
    for key, one in ours.items():
        assert chart[key] == one, key


@pytest.mark.parametrize("values", RUNS.values(), ids=RUNS)
def test_the_chart_makes_the_objects_that_render_makes(values: dict[str, Any]) -> None:
    check_parity(values, HELMS[0])


@pytest.mark.slow
@pytest.mark.parametrize("values", RUNS.values(), ids=RUNS)
def test_so_it_does_with_the_other_helm(values: dict[str, Any]) -> None:
    check_parity(values, HELMS[-1])


def test_a_model_and_numbers_set_on_the_command_line_are_the_run_files() -> None:
    arguments = ["--set", "model=llava-13b,method.beta=0.2,train.learning_rate=1e-6"]
    pinned = [f"images.{name}={image}" for name, image in IMAGES.items()]
    chart = objects_of(templated({}, *arguments, "--set", ",".join(pinned)))
    values = {
        "model": "llava-13b",
        "method": {"beta": 0.2},
        "train": {"learning_rate": 1e-6},
        "images": IMAGES,
    }
    assert chart == rendered(values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": "x" * 41}, "name"),
        ({"model": "llava-70b"}, "model"),
        ({"cluster": {"gpus": 3}}, "cluster.gpus: 3 GPUs a node; wanted 4"),
        ({"train": {"ranks": 3}}, "train.batch: 16 is not ranks 3"),
        ({"images": {"train": "registry.example.org/train:1"}}, "images"),
        ({"storage": {"keys": {"access_key": "A", "secret_key": "B"}, "uri": "s3://abc"}}, "cluster.secret"),
        ({"storage": {"uri": "/data"}}, "storage.uri"),
        ({"model": {"kind": "local", "path": "./m"}, "data": {"kind": "jsonl", "uri": "./d"}}, "model.path"),
        ({"cluster": {"backend": "job", "nodes": 2}}, "cluster.backend"),
        ({"name": "x" * 40, "cluster": {"backend": "trainjob"}}, "name: 40 characters"),
        ({"cluster": {"namespace": "other"}}, "cluster.namespace"),
        ({"storage": {"secret_key": "abc"}}, "secret_key"),
        ({"trian": {}}, "trian"),
        ({"method": {"keep": 17}}, "method.keep"),
    ],
)
def test_the_chart_refuses_what_render_refuses_and_says_where(values: dict[str, Any], said: str) -> None:
    images = {"images": {**IMAGES, **values.get("images", {})}}
    with pytest.raises(subprocess.CalledProcessError) as caught:
        templated({**values, **images})
    assert said in caught.value.stderr
    if "cluster" not in values or "namespace" not in values["cluster"]:
        with pytest.raises(SpecError) as refused:
            rendered({**values, **images})
        assert refused.value.exit_code == 2


def test_images_that_were_never_pushed_are_told_with_the_command() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        templated({"images": {**IMAGES, "train": None}})
    assert "images.train" in caught.value.stderr
    assert "make push REGISTRY=" in caught.value.stderr


def test_a_cluster_without_the_operators_is_told_before_anything_is_made() -> None:
    command = [HELMS[0], "template", "x", str(CHART), "--values", "-"]
    values = json.dumps({"images": IMAGES, "cluster": {"pod_monitor": {}}})
    ended = subprocess.run(command, input=values, capture_output=True, text=True, check=False)
    assert ended.returncode
    assert "kubeflow.org/v1/PyTorchJob" in ended.stderr
    assert "monitoring.coreos.com/v1/PodMonitor" in ended.stderr
