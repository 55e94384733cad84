"""An open_clip model, loaded from a local folder or from a tag of open_clip's at a fixed commit of the hub.

Half precision is open_clip's own (and OpenAI's): matrices are halved, normalisations stay in float32. Whole
text towers of transformers are halved, for their normalisations take what comes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dama.errors import HardnessError
from dama.hardness.weights import WEIGHTS, checked_folder, from_hub
from dama.storage.commit import sha256_of
from dama.torchvision_cpu import declare_missing_operators

declare_missing_operators()

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torchvision warns that its compiled half is absent
    import open_clip
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

Precision = Literal["float32", "float16", "bfloat16"]
_HALVED = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Clip:
    """A model in evaluation, with what it needs to read texts and images."""

    model: Any
    transform: Callable[..., Tensor]
    """An image to its pixels, shape (3, height, width), float32."""
    tokenizer: Any
    """One of open_clip's tokenizers."""
    device: str
    precision: Precision
    weights: dict[str, str]
    """Which weights these are: tag, repository and commit where they have them, always the file's sha256."""

    @property
    def scale(self) -> float:
        """logit_scale, already exponentiated: 100 for the OpenAI models."""
        return math.exp(float(self.model.logit_scale.detach()))

    @property
    def context(self) -> int:
        """Tokens that the text tower reads, start and end marks included."""
        return int(self.tokenizer.context_length)

    @property
    def dtype(self) -> torch.dtype:
        """Numbers that pixels are given in."""
        return _DTYPES[self.precision]


def load_clip(
    model: str,
    weights: str,
    *,
    revision: str | None = None,
    device: str = "auto",
    precision: Precision | Literal["auto"] = "auto",
) -> Clip:
    """Return a model ready to encode.

    `model` is `local` when `weights` is a folder with open_clip_config.json, safetensors and tokenizer files,
    else open_clip's name, and `weights` one of its tags, read at `revision` of its hub repository. Pickled
    weights and code in folders are refused. `auto` means a GPU where there is one, and float16 there.
    """
    place = _device(device)
    numbers: Precision = ("float16" if place == "cuda" else "float32") if precision == "auto" else precision
    options: dict[str, Any] = {"device": place, "require_pretrained": True}
    tokenizer_options: dict[str, Any] = {}
    if model == "local":
        folder = Path(weights.removeprefix("file://"))
        text = checked_folder(folder)
        name = f"local-dir:{folder}"
        if text.get("hf_tokenizer_name"):
            tokenizer_options["trust_remote_code"] = False
        file = next(folder / one for one in WEIGHTS if (folder / one).is_file())
        source: dict[str, str] = {}
    else:
        name = model
        config = _tag(model, weights)
        text = open_clip.get_model_config(model)["text_cfg"]
        file, source = from_hub(config, weights, revision)
        if text.get("hf_tokenizer_name") == source["repository"]:
            tokenizer_options["revision"] = source["revision"]
        options |= _as_trained(config) | {"pretrained": str(file)}
    halved = _HALVED[numbers]
    if numbers != "float32" and text.get("hf_model_name"):
        halved = f"pure_{halved}"
    try:
        loaded, _, transform = open_clip.create_model_and_transforms(name, precision=halved, **options)
        tokenizer = open_clip.get_tokenizer(name, **tokenizer_options)
    except Exception as error:  # open_clip and what is below it raise errors of many kinds
        raise HardnessError(
            f"CLIP model {model} with weights {weights} does not load: {str(error)[:300]}",
            do="check hardness.scorer.weights, and the network if it is a tag of open_clip",
        ) from error
    source["sha256"] = sha256_of(file)
    return Clip(loaded.eval().requires_grad_(False), transform, tokenizer, place, numbers, source)


def new_clip(config: dict[str, Any], scale: float) -> Any:  # noqa: ANN401 - an open_clip model
    """Return an untrained open_clip model; `config` is the `model_cfg` of its open_clip_config.json."""
    return open_clip.CLIP(**config, init_logit_scale=math.log(scale))


def hub_repository(model: str, tag: str) -> str:
    """Return the hub repository (owner/name) of a tag's weights; HardnessError when there is no such tag."""
    return str(_tag(model, tag)["hf_hub"]).rpartition("/")[0]


def _device(asked: str) -> str:
    if asked == "cuda" and not torch.cuda.is_available():
        raise HardnessError(
            "hardness.scorer.device is cuda, and this machine shows torch no CUDA device",
            do="set hardness.scorer.device=auto, or run where there is a GPU",
        )
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return asked


def _tag(model: str, tag: str) -> dict[str, Any]:
    """Return what open_clip knows of one of its tags; HardnessError with the known ones when it has none."""
    config = open_clip.get_pretrained_cfg(model, tag)
    if config and config.get("hf_hub"):
        return dict(config)
    known = ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "no model of that name"
    raise HardnessError(
        f"open_clip has no weights '{tag}' for model '{model}'",
        wanted=f"one of: {known}",
        do="mend hardness.scorer, or set model: local and weights to a folder",
    )


def _as_trained(config: dict[str, Any]) -> dict[str, Any]:
    """Return the options that a tag's weights were trained with; open_clip takes a file without its tag."""
    images = {f"image_{name}": config[name] for name in ("mean", "std", "interpolation", "resize_mode")}
    # The OpenAI weights were trained with QuickGELU; open_clip itself only warns of the mismatch.
    return {**images, "force_quick_gelu": bool(config.get("quick_gelu", False))}
