"""Scores by an open_clip model: logit_scale · cosine of every fact and the preference's image (Eq 3).

The softmax of Eq 4 needs scaled logits (about 100 · cosine for the OpenAI models): over raw cosines it is
nearly flat and δ would only count facts. A logit_bias (SigLIP) is left out: the softmax does
not see it.
"""

from __future__ import annotations

import itertools
import json
import math
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from dama.errors import HardnessError
from dama.torchvision_cpu import declare_missing_operators

declare_missing_operators()

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torchvision warns that its compiled half is absent
    import open_clip
import torch  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.backends import cudnn  # noqa: E402

from dama.hardness.similarity import Images  # noqa: E402
from dama.records import Facts, PairScore, Preference  # noqa: E402

OverLength = Literal["truncate", "refuse"]
CHUNK = 512
"""Preferences that are held at a time."""
REMEMBERED = 65_536
"""Encoded images, and encoded facts, that are kept for later chunks: 200 MB each at 768 numbers."""
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors")


class ClipScorer:
    """Encodes every distinct image and every distinct fact once, in batches, in float32."""

    def __init__(
        self,
        model: str,
        weights: str,
        *,
        batch: int = 64,
        over_length: OverLength = "truncate",
        device: str | None = None,
        chunk: int = CHUNK,
    ) -> None:
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._batch, self._over_length, self._chunk = batch, over_length, chunk
        self._model, self._transform, self._tokenizer = load_clip(model, weights, self._device)
        self._scale = float(self._model.logit_scale.detach().float().exp())
        self._images: OrderedDict[str, Tensor] = OrderedDict()
        self._texts: OrderedDict[str, Tensor] = OrderedDict()

    def score(self, items: Iterable[tuple[Preference, Facts]], images: Images) -> Iterator[PairScore]:
        """Yield the scaled logits of every preference's facts, flagged `chosen:truncated` where cut.

        Raises HardnessError when a fact is longer than the model reads and over-length facts are refused.
        """
        stream = iter(items)
        while chunk := list(itertools.islice(stream, self._chunk)):
            yield from self._score_chunk(chunk, images)

    def _score_chunk(self, chunk: list[tuple[Preference, Facts]], images: Images) -> Iterator[PairScore]:
        flags = self._long_facts(chunk)
        wanted = [preference.image for preference, _ in chunk]
        image_of = self._encoded(wanted, self._images, lambda keys: self._encode_images(keys, images))
        texts = [text for _, facts in chunk for text in (*facts.chosen, *facts.rejected)]
        text_of = self._encoded(texts, self._texts, self._encode_texts)
        for (preference, facts), marks in zip(chunk, flags, strict=True):
            image = image_of[preference.image]
            sides = [
                tuple(self._scale * float(text_of[text] @ image) for text in side)
                for side in (facts.chosen, facts.rejected)
            ]
            yield PairScore(preference.id, sides[0], sides[1], marks)

    def _encoded(
        self, keys: Iterable[str], known: OrderedDict[str, Tensor], encode: Callable[[list[str]], Tensor]
    ) -> dict[str, Tensor]:
        """Return the feature of every distinct key; what was encoded before is not encoded again."""
        distinct = list(dict.fromkeys(keys))
        found = {key: known[key] for key in distinct if key in known}
        new = [key for key in distinct if key not in found]
        for start in range(0, len(new), self._batch):
            part = new[start : start + self._batch]
            found |= zip(part, encode(part), strict=True)
        for key in distinct:
            known[key] = found[key]
            known.move_to_end(key)
        while len(known) > REMEMBERED:
            known.popitem(last=False)
        return found

    @torch.inference_mode()
    def _encode_images(self, keys: list[str], images: Images) -> Tensor:
        pixels = torch.stack([self._transform(images.open(key)) for key in keys]).to(self._device)
        # On a GPU convolutions run in TF32 unless told not to: ten bits for scores of 20 to 30.
        with cudnn.flags(enabled=cudnn.enabled, deterministic=True, allow_tf32=False):
            return _unit(self._model.encode_image(pixels))

    @torch.inference_mode()
    def _encode_texts(self, texts: list[str]) -> Tensor:
        return _unit(self._model.encode_text(self._tokenizer(texts).to(self._device)))

    def _long_facts(self, chunk: list[tuple[Preference, Facts]]) -> list[tuple[str, ...]]:
        """Return each preference's flags of facts that the model does not read to the end."""
        limit = int(self._tokenizer.context_length)
        flags = []
        for preference, facts in chunk:
            marks = []
            for side, texts in (("chosen", facts.chosen), ("rejected", facts.rejected)):
                longest = max((token_count(self._tokenizer, text) for text in texts), default=0)
                if longest > limit and self._over_length == "refuse":
                    raise HardnessError(
                        f"preference {preference.id} has a {side} fact of {longest} tokens",
                        wanted=f"at most {limit}, which the CLIP model reads",
                        do="set hardness.scorer.over_length=truncate, or split finer",
                    )
                if longest > limit:
                    marks.append(f"{side}:truncated")
            flags.append(tuple(marks))
        return flags


def _unit(features: Tensor) -> Tensor:
    """Return rows of length 1, float32, on the CPU."""
    return torch.nn.functional.normalize(features.float(), dim=-1).cpu()


def token_count(tokenizer: Any, text: str) -> int:  # noqa: ANN401 - one of open_clip's tokenizers
    """Return the tokens of a text before any cutting, start and end marks included."""
    inner = getattr(tokenizer, "tokenizer", None)
    if inner is None:
        return len(tokenizer.encode(text)) + 2
    return len(inner(tokenizer.clean_fn(text), verbose=False)["input_ids"])


def load_clip(model: str, weights: str, device: str) -> tuple[Any, Callable[..., Tensor], Any]:
    """Return an open_clip model in evaluation, its image transform and its tokenizer.

    `model` is `local` when `weights` is a folder with open_clip_config.json, safetensors and tokenizer files,
    else open_clip's name, and `weights` one of its tags. Pickled weights and code in folders are refused.
    """
    options: dict[str, Any] = {"precision": "fp32", "device": device, "require_pretrained": True}
    if model == "local":
        folder = Path(weights.removeprefix("file://"))
        tokenizer_options = _checked_folder(folder)
        name = f"local-dir:{folder}"
    else:
        name, tokenizer_options = model, {}
        options |= tag_options(model, weights)
    try:
        loaded, _, transform = open_clip.create_model_and_transforms(name, **options)
        tokenizer = open_clip.get_tokenizer(name, **tokenizer_options)
    except Exception as error:  # open_clip and what is below it raise errors of many kinds
        raise HardnessError(
            f"CLIP model {model} with weights {weights} does not load: {str(error)[:300]}",
            do="check hardness.scorer.weights, and the network if it is a tag of open_clip",
        ) from error
    return loaded.eval().requires_grad_(False), transform, tokenizer


def new_clip(config: dict[str, Any], scale: float) -> Any:  # noqa: ANN401 - an open_clip model
    """Return an untrained open_clip model; `config` is the `model_cfg` of its open_clip_config.json."""
    return open_clip.CLIP(**config, init_logit_scale=math.log(scale))


def tag_options(model: str, tag: str) -> dict[str, Any]:
    """Return the options that load a model of open_clip with one of its pretrained tags."""
    config = open_clip.get_pretrained_cfg(model, tag)
    if not config:
        known = ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "no model of that name"
        raise HardnessError(
            f"open_clip has no weights '{tag}' for model '{model}'",
            wanted=f"one of: {known}",
            do="mend hardness.scorer, or set model: local and weights to a folder",
        )
    # The OpenAI weights were trained with QuickGELU; open_clip itself only warns of the mismatch.
    return {"pretrained": tag, "force_quick_gelu": bool(config.get("quick_gelu", False))}


def _checked_folder(folder: Path) -> dict[str, Any]:
    """Return the options for the folder's tokenizer; HardnessError when it may not or cannot be loaded."""
    wanted = "open_clip_config.json, open_clip_model.safetensors and tokenizer files"
    config = folder / "open_clip_config.json"
    if not config.is_file():
        raise HardnessError(
            f"{folder} holds no open_clip_config.json", wanted=wanted, do="mend hardness.scorer"
        )
    if not any((folder / name).is_file() for name in WEIGHTS):
        raise HardnessError(
            f"{folder} holds no {' or '.join(WEIGHTS)}",
            wanted=wanted,
            do="convert the weights to safetensors; pickled weights can run code and are refused",
        )
    try:
        text = json.loads(config.read_text(encoding="utf-8"))["model_cfg"]["text_cfg"]
        options = text.get("tokenizer_kwargs", {})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HardnessError(f"{config} is no open_clip config", wanted="model_cfg with text_cfg") from error
    if "trust_remote_code" in options:
        raise HardnessError(
            f"{config} asks to run code of the tokenizer's", do="remove trust_remote_code from it"
        )
    return {"trust_remote_code": False} if text.get("hf_tokenizer_name") else {}
