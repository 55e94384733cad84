"""A LLaVA's sizes from config.json: published counts, and those of the models that transformers makes."""

from __future__ import annotations

from typing import Any

import pytest

from dama.errors import ModelError
from dama.model.shape import model_shape

# what the two files say beside names and token ids; the rest is left to transformers' defaults
TOWER = {
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "projection_dim": 768,
    "vocab_size": 32000,
}
LLAVA_7B: dict[str, Any] = {
    "model_type": "llava",
    "text_config": {"model_type": "llama", "max_position_embeddings": 4096, "vocab_size": 32064},
    "vision_config": TOWER,
    "vision_feature_layer": -2,
    "vision_feature_select_strategy": "default",
}
LLAVA_13B: dict[str, Any] = {
    **LLAVA_7B,
    "text_config": {
        "model_type": "llama",
        "hidden_size": 5120,
        "intermediate_size": 13824,
        "num_attention_heads": 40,
        "num_hidden_layers": 40,
        "num_key_value_heads": 40,
        "vocab_size": 32064,
    },
}


def test_the_published_models_have_their_published_sizes() -> None:
    seven, thirteen = model_shape(LLAVA_7B), model_shape(LLAVA_13B)
    # layer: 4·4096² + 3·4096·11008 + 2·4096; text: 32 of them, embedding, head and last norm
    assert seven.text.layer_parameters == 202_383_360
    assert seven.text.parameters == 32 * 202_383_360 + 2 * 32064 * 4096 + 4096 == 6_738_939_904
    assert seven.projector == 1024 * 4096 + 4096 + 4096 * 4096 + 4096 == 20_979_712
    assert seven.tower.parameters == 303_507_456
    assert seven.parameters == 7_063_427_072
    # 13,350,839,296 with Vicuna's 32,000 words; image and padding tokens bring 64 rows to each matrix
    assert thirteen.parameters - 2 * 64 * 5120 == 13_350_839_296


def test_one_image_takes_576_tokens_and_the_second_last_layer_is_read() -> None:
    shape = model_shape(LLAVA_7B)
    assert (shape.tower.tokens, shape.image_tokens) == (577, 576)
    assert shape.tower.used_layers == 23


def test_all_but_the_tower_is_trained() -> None:
    shape = model_shape(LLAVA_7B)
    assert shape.trained == 7_063_427_072 - 303_507_456


SMALL_TEXT = {
    "vocab_size": 99,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
SMALL_TOWER = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}


@pytest.mark.parametrize("tower", ["clip_vision_model", "siglip_vision_model"])
@pytest.mark.parametrize(
    "text",
    [
        {"model_type": "llama"},
        {"model_type": "llama", "attention_bias": True, "mlp_bias": True, "head_dim": 24},
        {"model_type": "mistral"},
        {"model_type": "qwen2"},
        {"model_type": "qwen3"},
    ],
    ids=str,
)
@pytest.mark.parametrize("small", [True, False])
def test_counts_are_those_of_transformers_models(text: dict[str, Any], tower: str, small: bool) -> None:
    from dama.torchvision_cpu import declare_missing_operators

    declare_missing_operators()
    import torch
    from transformers import CONFIG_MAPPING, LlavaConfig, LlavaForConditionalGeneration

    # not small: every default of the family, all of them left out of config.json
    text_config = {**(SMALL_TEXT if small else {"num_hidden_layers": 2}), **text}
    vision_config = {**(SMALL_TOWER if small else {"num_hidden_layers": 2}), "model_type": tower}
    config = LlavaConfig(
        text_config=CONFIG_MAPPING[text["model_type"]](**text_config),
        vision_config=CONFIG_MAPPING[tower](**vision_config),
        vision_feature_layer=-1 if small else [-2, -1],
        multimodal_projector_bias=small,
    )
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    raw = {
        "model_type": "llava",
        "text_config": text_config,
        "vision_config": vision_config,
        "vision_feature_layer": config.vision_feature_layer,
        "multimodal_projector_bias": small,
    }
    for shape in (model_shape(config.to_dict()), model_shape(raw)):
        parts = dict.fromkeys(("vision_tower", "multi_modal_projector", "language_model", "lm_head"), 0)
        for name, parameter in model.named_parameters():
            parts[next(part for part in parts if part in name)] += parameter.numel()
        assert shape.tower.parameters == parts["vision_tower"]
        assert shape.projector == parts["multi_modal_projector"]
        assert shape.text.parameters == parts["language_model"] + parts["lm_head"]


def test_a_tied_head_counts_once() -> None:
    tied = model_shape({**LLAVA_7B, "tie_word_embeddings": True})
    assert model_shape(LLAVA_7B).parameters - tied.parameters == 32064 * 4096


def test_without_a_tower_it_is_llavas_own() -> None:
    assert model_shape({**LLAVA_7B, "vision_config": None}) == model_shape(LLAVA_7B)


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"model_type": "mllama"}, "model_type 'mllama'"),
        ({**LLAVA_7B, "text_config": {"model_type": "gemma"}}, "text_config.model_type 'gemma'"),
        ({**LLAVA_7B, "vision_config": {"model_type": "pixtral"}}, "vision_config.model_type 'pixtral'"),
        ({}, "model_type None"),
    ],
)
def test_unknown_families_are_refused_by_name(config: dict[str, Any], named: str) -> None:
    with pytest.raises(ModelError, match=named):
        model_shape(config)
