"""A vision-language model and its processor, from a folder in Hugging Face layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dama.errors import ModelError
from dama.torchvision_cpu import declare_missing_operators


@dataclass(frozen=True)
class Loaded:
    """A model in eval mode and the processor that makes its inputs."""

    model: Any
    """A transformers model for image-text-to-text."""
    processor: Any


def load_model(folder: Path, *, device: str = "cpu", dtype: str = "float32") -> Loaded:
    """Load weights (safetensors only) and processor from `folder`; nothing is fetched, no code of it is run.

    Raises ModelError when files are missing, the family is unknown or a weight would stay random.
    """
    declare_missing_operators()
    from transformers import AutoModelForImageTextToText

    try:
        model, info = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=getattr(torch, dtype),
            attn_implementation="sdpa",
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError) as error:
        raise _unloadable(folder, error) from error
    processor = load_processor(folder)
    missing = sorted(info["missing_keys"]) + sorted(key for key, *_ in info["mismatched_keys"])
    if missing:
        raise ModelError(
            f"{folder} lacks {len(missing)} of the model's weights (first: {missing[0]})",
            wanted="every weight; the missing ones would be random",
            do="use the checkpoint's own config.json",
        )
    return Loaded(model.to(device).eval(), processor)


def load_processor(folder: Path) -> Any:  # noqa: ANN401 - a transformers processor
    """Return the processor in `folder`, which turns texts and images into a model's inputs; ModelError."""
    declare_missing_operators()
    from transformers import AutoProcessor

    try:
        return AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise _unloadable(folder, error) from error


def _unloadable(folder: Path, error: Exception) -> ModelError:
    reason = " ".join(str(error).split())[:300]
    return ModelError(
        f"no model can be loaded from {folder}: {reason}",
        wanted="config.json, safetensors and a processor in Hugging Face layout",
    )
