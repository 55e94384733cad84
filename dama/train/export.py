"""The trained model as a folder in Hugging Face layout: safetensors, processor, model card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

_PREFIX = "llava."


def export(llava: Any, processor: Any, state: Mapping[str, Tensor], folder: Path, card: str) -> None:  # noqa: ANN401
    """Write weights `state` (names as the trained wrapper has them), processor and card to `folder`."""
    weights = {name.removeprefix(_PREFIX): tensor.cpu().contiguous() for name, tensor in state.items()}
    llava.save_pretrained(folder, state_dict=weights, max_shard_size="5GB")
    processor.save_pretrained(folder)
    (folder / "README.md").write_text(card)


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
