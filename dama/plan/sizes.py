"""Where a model's sizes come from: known, its folder, the miniature world, or the hub; never its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dama.errors import ModelError
from dama.model.shape import ModelShape, model_shape
from dama.spec.model import HubModel, LocalModel, ModelSpec

_TOWER = {
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
}
_WORDS = 32_064
"""Vicuna's 32,000, the image and padding tokens, rounded up to 64."""
_KNOWN: dict[str, dict[str, Any]] = {
    "llava-hf/llava-1.5-7b-hf": {
        "model_type": "llava",
        "vision_config": _TOWER,
        "text_config": {"model_type": "llama", "vocab_size": _WORDS},
    },
    "llava-hf/llava-1.5-13b-hf": {
        "model_type": "llava",
        "vision_config": _TOWER,
        "text_config": {
            "model_type": "llama",
            "vocab_size": _WORDS,
            "hidden_size": 5120,
            "intermediate_size": 13_824,
            "num_hidden_layers": 40,
            "num_attention_heads": 40,
            "num_key_value_heads": 40,
        },
    },
}
_MINIATURE: dict[str, Any] = {  # dama.demo.tiny_llava; a test compares
    "model_type": "llava",
    "vision_config": {
        "model_type": "clip_vision_model",
        "hidden_size": 96,
        "intermediate_size": 384,
        "num_hidden_layers": 3,
        "num_attention_heads": 3,
        "image_size": 72,
        "patch_size": 24,
    },
    "text_config": {
        "model_type": "llama",
        "vocab_size": 34,
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
    },
}


def shape_of(model: ModelSpec) -> ModelShape:
    """Return the shape of the run file's model; only an unknown model of the hub needs the network.

    ModelError where config.json cannot be had or describes a family that is not known.
    """
    if isinstance(model, LocalModel):
        return shape_in(Path(model.path.removeprefix("file://")))
    if isinstance(model, HubModel):
        known = _KNOWN.get(model.id)
        return model_shape(known) if known is not None else _from_hub(model)
    return model_shape(_MINIATURE)


def shape_in(folder: Path) -> ModelShape:
    """Return the shape of the model in `folder`; ModelError as `shape_of`."""
    return _from_file(folder / "config.json")


def _from_file(file: Path) -> ModelShape:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{file} cannot be read: {error}",
            wanted="a folder in Hugging Face layout",
            do="mend model.path",
        ) from error
    return model_shape(config)


def _from_hub(model: HubModel) -> ModelShape:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        file = hf_hub_download(model.id, "config.json", revision=model.revision)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"config.json of {model.id}@{model.revision} cannot be read from the hub: {type(error).__name__}",
            do="check the id, the revision and the network, or give a local folder as model.path",
        ) from error
    return _from_file(Path(file))
