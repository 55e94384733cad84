"""LoRA: adapters beside the linear layers of the language model; the one file that knows peft.

    W     weight of a linear layer     [out, in]   frozen
    A, B  its adapter                  [rank, in], [out, rank]; A random, B zero: it starts as nothing
    y     = x·Wᵀ + (alpha/rank)·x·Aᵀ·Bᵀ

The model is changed in place and keeps its class, so the forward, prefix sharing and DeepSpeed see nothing
new. Adapters have no dropout: a step's two passes and the cached reference log-probabilities must be one and
the same function. The projector is trained in full unless told otherwise, as in LLaVA's own LoRA trainer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from torch import Tensor, nn

from dama.errors import ModelError
from dama.spec.lora import LoraSpec

_TEXT, _PROJECTOR = "language_model", "multi_modal_projector"
_NAME = "default"
_BASE, _A, _B = ".base_layer", f".lora_A.{_NAME}.weight", f".lora_B.{_NAME}.weight"
_SAVED = "base_model.model."
"""What peft puts before the names of a model's weights in an adapter's file."""


class Adapters:
    """The adapters that `inject` put into a model: how their weights are merged, and written apart."""

    def __init__(self, llava: Any, config: LoraConfig) -> None:  # noqa: ANN401 - a transformers model
        self._llava, self._config = llava, config

    def merged(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights of the plain model: W + alpha/rank · B·A, summed in float32, names as before."""
        merged = {}
        for name, weight in weights.items():
            if name.endswith((_A, _B)):
                continue
            plain = name.replace(_BASE, "")
            layer = plain.removesuffix(".weight")
            if plain != name and name.endswith(".weight"):
                update = weights[layer + _B].float() @ weights[layer + _A].float()
                scale = self._config.lora_alpha / self._config.r
                weight = (weight.float() + scale * update.to(weight.device)).to(weight.dtype)
            merged[plain] = weight
        return merged

    def write(
        self, folder: Path, weights: Mapping[str, Tensor], *, base: str | None, revision: str | None
    ) -> None:
        """Write the adapter as peft does: `adapter_config.json` and `adapter_model.safetensors`.

        `weights` have the model's own names; `base` is the hub's id of the model they belong to, if it has
        one.
        """
        from safetensors.torch import save_file

        folder.mkdir(parents=True)
        found = get_peft_model_state_dict(
            self._llava, state_dict=dict(weights), adapter_name=_NAME, save_embedding_layers=False
        )
        projector = {} if not self._config.modules_to_save else _of_projector(weights)
        state = {_SAVED + name: tensor.cpu().contiguous() for name, tensor in {**found, **projector}.items()}
        save_file(state, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        config = {**self._config.to_dict(), "base_model_name_or_path": base, "revision": revision}
        config["inference_mode"] = True
        text = json.dumps(config, indent=2, sort_keys=True, default=_plain)
        (folder / "adapter_config.json").write_text(text + "\n")


def inject(llava: Any, spec: LoraSpec) -> Adapters:  # noqa: ANN401 - a transformers model
    """Put adapters into `llava`, freeze all but them (and the projector, if it is to be trained).

    Their A is drawn from torch's generator. ModelError when a target is no linear layer of the language
    model.
    """
    names = _targets(llava, spec)
    pattern = rf"(.*\.)?{_TEXT}\.(.*\.)?({'|'.join(names)})"
    config = LoraConfig(
        r=spec.rank, lora_alpha=spec.alpha, lora_dropout=0.0, bias="none", target_modules=pattern
    )
    inject_adapter_in_model(config, llava, _NAME)
    projector = [parameter for name, parameter in llava.named_parameters() if _in_projector(name)]
    if projector and spec.projector == "full":
        for parameter in projector:
            parameter.requires_grad_(True)
        # told to peft only now: it would wrap the module and keep a second, frozen copy of it
        config.modules_to_save = [_PROJECTOR]
    return Adapters(llava, config)


def _targets(llava: nn.Module, spec: LoraSpec) -> list[str]:
    """Return the last names of the layers that get adapters."""
    found = {
        name.rpartition(".")[2]
        for name, module in llava.named_modules()
        if isinstance(module, nn.Linear) and re.match(rf"(.*\.)?{_TEXT}\.", name)
    }
    if not found:
        raise ModelError(
            f"{type(llava).__name__} has no linear layers below '{_TEXT}'",
            wanted="a LLaVA-like model",
            do="leave train.lora out",
        )
    if spec.targets == "text":
        return sorted(found)
    if unknown := [name for name in spec.targets if name not in found]:
        raise ModelError(
            f"train.lora.targets: no linear layer of the language model is called {', '.join(unknown)}",
            wanted=f"some of {', '.join(sorted(found))}",
        )
    return sorted(set(spec.targets))


def _in_projector(name: str) -> bool:
    return f"{_PROJECTOR}." in name


def _of_projector(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight for name, weight in weights.items() if _in_projector(name)}


def _plain(value: Any) -> Any:  # noqa: ANN401 - what JSON has no word for in peft's configuration
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, torch.dtype):
        return str(value)
    return value.value
