"""Words that stand for whole parts: `model: llava-7b` and `method: dama`.

A model's preset is a layer of defaults for the whole run file, below what the person wrote: the tiny model
brings its data, scorer, layout and benchmark with it. Written-out parts always win.
"""

from __future__ import annotations

from typing import Any

_RLAIF_V = {"kind": "rlaif-v", "uri": "hf://openbmb/RLAIF-V-Dataset@main"}
_CLIP = {"scorer": {"engine": "open_clip"}}

MODELS: dict[str, dict[str, Any]] = {
    "llava-7b": {
        "model": {"kind": "hub", "id": "llava-hf/llava-1.5-7b-hf"},
        "data": _RLAIF_V,
        "hardness": _CLIP,
    },
    "llava-13b": {
        "model": {"kind": "hub", "id": "llava-hf/llava-1.5-13b-hf"},
        "data": _RLAIF_V,
        "hardness": _CLIP,
        "cluster": {"train": {"memory_gib": 224}, "scratch": {"size_gib": 600}},
    },
    "tiny": {
        "model": {"kind": "miniature"},
        "data": {"kind": "miniature"},
        "world": {},
        "hardness": {"scorer": {"engine": "miniature"}},
        "train": {
            "ranks": 2,
            "per_device_batch": 8,
            "device": "cpu",
            "dtype": "float32",
            "max_steps": 200,
            "learning_rate": 2e-5,
            "max_length": 128,
            "gradient_checkpointing": False,
            "zero": {"stage": 1},
        },
        "evaluate": {"benchmarks": [{"kind": "miniature"}], "max_new_tokens": 80, "batch": 250},
        "cluster": {
            "preprocess": {"cpus": 1, "memory_gib": 4},
            "train": {"cpus": 1, "memory_gib": 5, "shm_gib": 1},
            "evaluate": {"cpus": 1, "memory_gib": 4},
            "scratch": {"size_gib": 10},
            "store": {"size_gib": 10},
            "grace_seconds": 120,
        },
    },
}

METHODS = ("dpo", "d2po", "mdpo", "dama")
