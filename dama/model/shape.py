"""The sizes of a LLaVA, read from its config.json: what it weighs and what it costs, without its weights.

    image ─▶ vision tower (frozen) ─▶ projector (two linear layers) ─▶ text layers ─▶ head

No torch here. config.json leaves out what equals the defaults of transformers, so those stand here; a test
compares parameter counts with the models that transformers makes of the same configurations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dama.errors import ModelError

_LLAMA: dict[str, Any] = {
    "vocab_size": 32_000,
    "hidden_size": 4096,
    "intermediate_size": 11_008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
}
_QWEN: dict[str, Any] = {**_LLAMA, "vocab_size": 151_936, "intermediate_size": 22_016}
_TEXT: dict[str, dict[str, Any]] = {
    "llama": _LLAMA,
    "mistral": {**_LLAMA, "intermediate_size": 14_336, "num_key_value_heads": 8},
    "qwen2": {**_QWEN, "num_key_value_heads": 32, "query_bias": True},
    "qwen3": {**_QWEN, "num_key_value_heads": 32, "head_dim": 128, "query_norm": True},
}
_CLIP: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 224,
    "patch_size": 32,
    "num_channels": 3,
}
_VISION: dict[str, dict[str, Any]] = {
    "clip_vision_model": _CLIP,
    "siglip_vision_model": {**_CLIP, "patch_size": 16},
}
_LLAVA_TOWER: dict[str, Any] = {  # LlavaConfig's own, where config.json names none
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
}


@dataclass(frozen=True)
class TowerShape:
    """The vision tower: a ViT whose weights are frozen."""

    kind: str
    width: int
    feed_forward: int
    layers: int
    heads: int
    image: int
    """Pixels along an edge of the square image."""
    patch: int
    channels: int
    used_layers: int
    """Layers up to the one whose output is read; the others run, and nothing reads what they make."""

    @property
    def patches(self) -> int:
        """Return the patches of one image."""
        return (self.image // self.patch) ** 2

    @property
    def tokens(self) -> int:
        """Return what the layers see: patches, and CLIP's class token."""
        return self.patches + (self.kind == "clip_vision_model")

    @property
    def layer_parameters(self) -> int:
        """Return the parameters of one layer: four projections, two feed-forward matrices, two norms."""
        w, f = self.width, self.feed_forward
        return 4 * (w * w + w) + 2 * w * f + f + w + 4 * w

    @property
    def parameters(self) -> int:
        """Return the tower's parameters, with those that LLaVA does not read (last layer, pooling)."""
        w, f = self.width, self.feed_forward
        found = self.channels * self.patch**2 * w + self.tokens * w + self.layers * self.layer_parameters
        if self.kind == "clip_vision_model":
            return found + w + 4 * w  # class token; norms in front and behind
        pooling = w + 4 * (w * w + w) + 2 * w + 2 * w * f + f + w  # SigLIP's attention head
        return found + w + 2 * w + pooling  # patch bias; norm behind


@dataclass(frozen=True)
class TextShape:
    """The language model: a decoder with rotary positions, RMS norms and a gated feed-forward."""

    kind: str
    vocabulary: int
    width: int
    feed_forward: int
    layers: int
    heads: int
    key_heads: int
    head_width: int
    tied: bool
    """Whether the head is the embedding's own matrix."""
    query_bias: bool
    output_bias: bool
    feed_forward_bias: bool
    query_norm: bool

    @property
    def layer_matrices(self) -> int:
        """Return the weights of one layer that every token is multiplied with."""
        attention = self.width * self.head_width * (2 * self.heads + 2 * self.key_heads)
        return attention + 3 * self.width * self.feed_forward

    @property
    def layer_parameters(self) -> int:
        """Return all parameters of one layer: matrices, biases, norms."""
        found = self.layer_matrices + 2 * self.width
        found += self.query_bias * self.head_width * (self.heads + 2 * self.key_heads)
        found += self.output_bias * self.width
        found += self.feed_forward_bias * (2 * self.feed_forward + self.width)
        return found + self.query_norm * 2 * self.head_width

    @property
    def embedding(self) -> int:
        """Return the parameters of the embedding, as many as the head's."""
        return self.vocabulary * self.width

    @property
    def parameters(self) -> int:
        """Return the language model's parameters, embedding and head included."""
        matrices = self.embedding * (1 if self.tied else 2)
        return matrices + self.layers * self.layer_parameters + self.width


@dataclass(frozen=True)
class ModelShape:
    """A LLaVA: tower, projector, language model."""

    tower: TowerShape
    text: TextShape
    projector_input: int
    """Width of the features that the projector reads: the tower's, times the layers that are read."""
    projector_bias: bool
    image_tokens: int
    """Tokens of the prompt that one image takes."""

    @property
    def projector(self) -> int:
        """Return the projector's parameters."""
        width = self.text.width
        return self.projector_input * width + width * width + self.projector_bias * 2 * width

    @property
    def parameters(self) -> int:
        """Return all parameters."""
        return self.tower.parameters + self.projector + self.text.parameters

    @property
    def trained(self) -> int:
        """Return the parameters that full fine-tuning moves: all but the vision tower's."""
        return self.projector + self.text.parameters


def model_shape(config: Mapping[str, Any]) -> ModelShape:
    """Return the shape that a config.json (or `config.to_dict()`) describes.

    ModelError for a family whose sizes are not known here.
    """
    if (kind := config.get("model_type")) != "llava":
        raise _unknown("model_type", kind, ["llava"])
    text_config, vision_config = config.get("text_config") or {}, config.get("vision_config")
    text, tower = _text(text_config, config), _tower(vision_config, config)
    layers = config.get("vision_feature_layer", -2)
    read = 1 if isinstance(layers, int) else len(layers)
    whole = config.get("vision_feature_select_strategy", "default") == "full"
    return ModelShape(
        tower,
        text,
        projector_input=read * tower.width,
        projector_bias=bool(config.get("multimodal_projector_bias", True)),
        image_tokens=tower.tokens if whole else tower.tokens - 1,  # "default" leaves the first one out
    )


def _text(given: Mapping[str, Any], config: Mapping[str, Any]) -> TextShape:
    kind = given.get("model_type", "llama")
    if kind not in _TEXT:
        raise _unknown("text_config.model_type", kind, list(_TEXT))
    sizes = {**_TEXT[kind], **{key: value for key, value in given.items() if value is not None}}
    heads, width = int(sizes["num_attention_heads"]), int(sizes["hidden_size"])
    attention_bias = bool(sizes.get("attention_bias", False))
    return TextShape(
        kind=kind,
        vocabulary=int(sizes["vocab_size"]),
        width=width,
        feed_forward=int(sizes["intermediate_size"]),
        layers=int(sizes["num_hidden_layers"]),
        heads=heads,
        key_heads=int(sizes.get("num_key_value_heads", heads)),
        head_width=int(sizes.get("head_dim", width // heads)),
        tied=bool(config.get("tie_word_embeddings", False)),
        query_bias=bool(sizes.get("query_bias", False)) or attention_bias,
        output_bias=attention_bias,
        feed_forward_bias=bool(sizes.get("mlp_bias", False)),
        query_norm=bool(sizes.get("query_norm", False)),
    )


def _tower(given: Mapping[str, Any] | None, config: Mapping[str, Any]) -> TowerShape:
    given = {"model_type": "clip_vision_model", **_LLAVA_TOWER} if given is None else given
    kind = given.get("model_type", "clip_vision_model")
    if kind not in _VISION:
        raise _unknown("vision_config.model_type", kind, list(_VISION))
    sizes = {**_VISION[kind], **{key: value for key, value in given.items() if value is not None}}
    layers, read = int(sizes["num_hidden_layers"]), config.get("vision_feature_layer", -2)
    places = [read] if isinstance(read, int) else list(read)
    return TowerShape(
        kind=kind,
        width=int(sizes["hidden_size"]),
        feed_forward=int(sizes["intermediate_size"]),
        layers=layers,
        heads=int(sizes["num_attention_heads"]),
        image=int(sizes["image_size"]),
        patch=int(sizes["patch_size"]),
        channels=int(sizes["num_channels"]),
        used_layers=max(place if place >= 0 else layers + 1 + place for place in places),
    )


def _unknown(key: str, found: object, known: list[str]) -> ModelError:
    return ModelError(
        f"config.json says {key} {found!r}, whose sizes are not known",
        wanted=", ".join(known),
        do="choose a LLaVA of such parts",
    )
