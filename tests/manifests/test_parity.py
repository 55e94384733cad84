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
from run_specs import BUCKET, IMAGES, run_spec

from dama.errors import SpecError
from dama.manifests.render import render
from dama.spec.load import _laid_over

CHART = Path(__file__).parent.parent.parent / "helm"
HELMS = [name for name in ("helm", "helm4") if shutil.which(name)]
APIS = "kubeflow.org/v1/PyTorchJob,trainer.kubeflow.org/v1alpha1/TrainJob"
NAMESPACE = "aligning"

pytestmark = pytest.mark.skipif(not HELMS, reason="needs helm on PATH")

RUNS: dict[str, dict[str, Any]] = {
    "default": {},
    "13b": {"model": "llava-13b"},
    "tiny": {"model": "tiny", "method": "mdpo"},
    "dpo without hardness": {"method": "dpo", "hardness": "none"},
    "method in part": {"method": {"beta": 0.2, "combine": {"kind": "weighted_sum", "rho": 0.3}}},
    "written out": {
        "model": {"kind": "hub", "id": "a/b", "revision": "c" * 40},
        "data": {"kind": "conversations", "uri": "hf://a/b@" + "d" * 40},
        "hardness": {"scorer": {"engine": "open_clip", "model": "ViT-B-32"}, "form": "scores"},
        "train": {"learning_rate": 3e-7, "epochs": 2, "lora": {}, "limit_minutes": 90.5},
    },
    "bucket": BUCKET,
    "bucket of aws with a role": {
        "storage": {"uri": "s3://alignment"},
        "cluster": {"service_account_annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x"}},
    },
    "two nodes": {"cluster": {"nodes": 2}, "train": {"zero": {"offload": True}}},
    "eight GPUs": {"train": {"ranks": 8, "per_device_batch": 2}},
    "shards": {"cluster": {"preprocess_pods": 6, "preprocess_gpus": 2}},
    "queue": {"cluster": {"queue": {"name": "gpus"}}},
    "queue of old": {"cluster": {"queue": {"name": "gpus", "gate": "label"}}},
    "queue of pods": {"cluster": {"queue": {"name": "gpus", "gate": "pods"}, "nodes": 2}},
    "trainjob": {"cluster": {"backend": "trainjob", "nodes": 2, "queue": {"name": "gpus"}}},
    "job": {"model": "tiny", "cluster": {"backend": "job", "queue": {"name": "gpus"}}},
    "judged": {
        "evaluate": {
            "benchmarks": [
                {"kind": "amber", "data": "s3://alignment/amber"},
                {"kind": "mmhal", "data": "s3://alignment/mmhal", "judge": {"model": "gpt"}},
                {
                    "kind": "mm-vet",
                    "data": "s3://alignment/mm-vet",
                    "judge": {"model": "x", "base_url": "http://judge.example.org", "key_env": None},
                },
            ]
        },
        "cluster": {"secret": "keys"},
    },
    "facts by vllm": {"hardness": {"facts": {"engine": "vllm", "model": "llama-3-8b"}}},
    "facts served": {
        "hardness": {
            "facts": {"engine": "served", "base_url": "http://vllm:8000/v1", "model": "q", "key_env": "KEY"}
        },
        "cluster": {"secret": "keys"},
    },
    "places": {
        "cluster": {
            "scratch": {"claim": True, "storage_class": "fast", "size_gib": 50},
            "model_cache": "hub",
            "volumes": [
                {"claim": "models", "path": "/models"},
                {"claim": "x", "path": "/x", "read_only": False},
            ],
            "store": {"storage_class": "slow"},
            "service_account": "mine",
            "node_selector": {"gpu": "a100"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "affinity": {"nodeAffinity": {"x": [{"y": "z"}]}},
            "topology_spread": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
            "priority_class": "high",
            "runtime_class": "nvidia",
            "pull_secrets": ["registry"],
            "env": {"NCCL_DEBUG": "INFO", "HTTPS_PROXY": "http://a&b<c>"},
            "restarts": 0,
            "grace_seconds": 60,
            "keep_hours": 24,
            "network_policy": False,
        },
        "images": {"pull": "Always"},
    },
    "model on a volume": {
        "model": {"kind": "local", "path": "/models/llava"},
        "data": {"kind": "jsonl", "uri": "s3://alignment/p.jsonl"},
        "cluster": {"volumes": [{"claim": "models", "path": "/models"}]},
    },
}


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
    for one in yaml.load_all(text, Loader=yaml.CSafeLoader):
        if one and "helm.sh/hook" not in (one["metadata"].get("annotations") or {}):
            found[one["kind"], one["metadata"]["name"]] = one
    return found


def rendered(values: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """Return the objects that `dama render` makes of the same run file."""
    text = yaml.safe_dump({"model": "llava-7b", **values})
    objects = render(run_spec(text, [f"cluster.namespace={NAMESPACE}"]))
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def check_parity(values: dict[str, Any], helm: str, *arguments: str) -> None:
    """Assert that chart and render make the same objects, but for what one may not say to the other."""
    chart = objects_of(templated(_laid_over({"images": IMAGES}, values), *arguments, helm=helm))
    ours = rendered(_laid_over({"images": IMAGES}, values))
    assert set(chart) == set(ours)
    for key, one in ours.items():
        assert chart[key] == one, key


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize("values", RUNS.values(), ids=RUNS)
def test_the_chart_makes_the_objects_that_render_makes(values: dict[str, Any], helm: str) -> None:
    check_parity(values, helm)


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


def test_a_cluster_without_the_operator_is_told_before_anything_is_made() -> None:
    command = [HELMS[0], "template", "x", str(CHART), "--values", "-"]
    ended = subprocess.run(
        command, input=json.dumps({"images": IMAGES}), capture_output=True, text=True, check=False
    )
    assert ended.returncode
    assert "kubeflow.org/v1/PyTorchJob" in ended.stderr
