"""Words that stand for whole parts: `model: llava-7b`, `method: dama`, `hardness.facts.model: llama-3-8b`.

A model's preset is a layer of defaults for the whole run file, below what the person wrote: the tiny model
brings its data, scorer, layout and benchmark with it. Written-out parts always win.
"""

from __future__ import annotations

from typing import Any

_RLAIF_V = {"kind": "rlaif-v", "uri": "hf://openbmb/RLAIF-V-Dataset@main"}
_CLIP = {"scorer": {"engine": "open_clip"}}

MODELS: dict[str, dict[str, Any]] = {
    "llava-7b": {
        "model": {
            "kind": "hub",
            "id": "llava-hf/llava-1.5-7b-hf",
            "revision": "b234b804b114d9e37bb655e11cbbb5f5e971b7a9",
        },
        "data": _RLAIF_V,
        "hardness": _CLIP,
    },
    "llava-13b": {
        "model": {
            "kind": "hub",
            "id": "llava-hf/llava-1.5-13b-hf",
            "revision": "5dda2880bda009266dda7c4baff660b95ca64540",
        },
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
            "preprocess": {"cpus": 1, "memory_gib": 4, "shm_gib": 1},
            "train": {"cpus": 1, "memory_gib": 5, "shm_gib": 1},
            "evaluate": {"cpus": 1, "memory_gib": 4, "shm_gib": 1},
            "scratch": {"size_gib": 10},
            "store": {"size_gib": 10},
            "grace_seconds": 120,
        },
    },
}

METHODS = ("dpo", "d2po", "mdpo", "dama")

NONE = "none"
"""Stands for null in `hardness: none`, for helm drops keys whose value is null."""

SPLITTERS: dict[str, dict[str, Any]] = {
    "qwen2.5-7b": {
        "kind": "hub",
        "id": "Qwen/Qwen2.5-7B-Instruct",
        "revision": "a09a35458c702b33eeacc393d103063234e8bc28",
    },
    "llama-3-8b": {
        "kind": "hub",
        "id": "meta-llama/Meta-Llama-3-8B-Instruct",
        "revision": "8afb486c1db24fe5011ec46dfbe5b5dccdb575c2",
    },
    "tiny": {"kind": "miniature"},
}
"""Language models that split responses into facts; the second is the paper's, and asks for a licence."""

SCORERS: dict[tuple[str, str], str] = {
    ("ViT-L-14-336", "openai"): "81e38efc4637de5023b10e75a7f9bd1c6fa6b010",
}
"""Commits of the hub repositories that an open_clip model's tag is read from, where they are known."""
