"""The trained model as a folder in Hugging Face layout: safetensors, processor, model card; an adapter beside
it where there is one."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from dama.model.published import published
from dama.train.lora import Adapters

_PREFIX = "llava."
_SHARD = "5GB"


def export(
    llava: Any,  # noqa: ANN401 - a transformers model
    processor: Any,  # noqa: ANN401
    state: Mapping[str, Tensor],
    folder: Path,
    card: str,
    adapters: Adapters | None = None,
) -> None:
    """Write weights `state` (names as the trained wrapper has them), processor and card to `folder`.

    Weights of `adapters` are merged into those beside which they stand.
    """
    weights = _own_names(state)
    if adapters is not None:
        weights = adapters.merged(weights)
    weights = {name: tensor.cpu().contiguous() for name, tensor in weights.items()}
    named = published(llava.config, weights)
    if named is None:
        llava.save_pretrained(folder, state_dict=weights, max_shard_size=_SHARD)
    else:
        _write(llava, named, folder)
    processor.save_pretrained(folder)
    (folder / "README.md").write_text(card)


def _write(llava: Any, weights: dict[str, Tensor], folder: Path) -> None:  # noqa: ANN401
    """Write weights and configuration as `save_pretrained` does, the names left as they are."""
    from huggingface_hub import save_torch_state_dict

    folder.mkdir(parents=True)
    save_torch_state_dict(weights, folder, max_shard_size=_SHARD, metadata={"format": "pt"})
    config = copy.deepcopy(llava.config)
    config.architectures, config.dtype = [type(llava).__name__], str(llava.dtype).removeprefix("torch.")
    config.save_pretrained(folder)
    if llava.can_generate():
        llava.generation_config.save_pretrained(folder)


def export_adapter(
    adapters: Adapters, state: Mapping[str, Tensor], folder: Path, base: str | None, revision: str | None
) -> None:
    """Write the adapter alone to `folder`, in peft's format; `base` is the starting model's id on the hub."""
    adapters.write(folder, _own_names(state), base=base, revision=revision)


def _own_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(_PREFIX): tensor for name, tensor in state.items()}


def model_card(*, base: str, data: str, method: str, run: str, metrics: Mapping[str, Any]) -> str:
    """Return a model card: what was aligned, on what, how, and what the last training step said."""
    lines = [
        "---",
        "pipeline_tag: image-text-to-text",
        "library_name: transformers",
        "tags: [preference-optimisation, dama]",
        "---",
        "",
        "# Aligned by preference optimisation",
        "",
        "| | |",
        "|---|---|",
        f"| base model | {base} |",
        f"| preferences | {data} |",
        f"| method | {method} |",
        f"| training artifact | {run} |",
        "",
        "Last training step:",
        "",
        "| metric | value |",
        "|---|---|",
        *(f"| {name} | {value:.6g} |" for name, value in metrics.items() if isinstance(value, int | float)),
        "",
    ]
    return "\n".join(lines)
