"""Run files for tests of manifests: images that were pushed, and every way to ask for a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dama.manifests.placed import placed
from dama.spec.load import parse
from dama.spec.run import RunSpec

IMAGES = {
    name: f"registry.example.org/dama/{name}:1@sha256:{number * 64}"
    for name, number in (("preprocess", "1"), ("train", "2"), ("control", "3"), ("store", "4"))
}
BUCKET = {
    "storage": {
        "uri": "s3://alignment/dama",
        "endpoint_url": "https://s3.example.org:9000",
        "path_style": True,
        "keys": {"access_key": "S3_ACCESS_KEY", "secret_key": "S3_SECRET_KEY"},
    },
    "cluster": {"secret": "s3-keys"},
}

_APART = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"busy": "yes"}}}
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
    "answers by vllm": {
        "evaluate": {
            "engine": "vllm",
            "tensor_parallel": 2,
            "benchmarks": [{"kind": "amber", "data": "s3://alignment/amber"}],
        },
        "cluster": {"runtime_class": "nvidia"},
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
            "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [_APART]}},
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
    "one key of a step": {"cluster": {"train": {"cpus": 32}, "evaluate": {"shm_gib": 4}}},
    "monitored": {"cluster": {"pod_monitor": {"labels": {"release": "prometheus"}}, "nodes": 2}},
    "trainjob monitored": {"cluster": {"pod_monitor": {}, "backend": "trainjob"}},
    "job monitored": {
        "model": "tiny",
        "cluster": {"pod_monitor": {"interval_seconds": 60}, "backend": "job"},
    },
    "model on a volume": {
        "model": {"kind": "local", "path": "/models/llava"},
        "data": {"kind": "jsonl", "uri": "s3://alignment/p.jsonl"},
        "cluster": {"volumes": [{"claim": "models", "path": "/models"}]},
    },
    "a volume is the model": {
        "model": {"kind": "local", "path": "/llava"},
        "data": {"kind": "jsonl", "uri": "s3://alignment/p.jsonl"},
        "cluster": {"volumes": [{"claim": "models", "path": "/llava/"}]},
    },
}


def given_images(names: Sequence[str]) -> dict[str, str]:
    """Return the images of a lock that has them all."""
    return {name: IMAGES[name] for name in names}


def run_spec(text: str = "model: llava-7b", overrides: Sequence[str] = ()) -> RunSpec:
    """Return the placed run file that `text` and overrides make."""
    return placed(parse(text, overrides, folder=None), given_images)
