"""Small models of families that cannot share a prefix, with random weights, made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llavas import random_llava

from dama.model.load import Loaded, load_model
from dama.torchvision_cpu import declare_missing_operators

declare_missing_operators()


def sliding_llava(folder: Path, window: int) -> Loaded:
    """Return a LLaVA whose language model is a Mistral that sees `window` tokens back."""
    import torch
    from transformers import LlavaConfig, LlavaForConditionalGeneration, MistralConfig

    plain = load_model(random_llava(folder))
    text = plain.model.config.text_config.to_dict()
    names = (
        *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"),
        *("num_key_value_heads", "max_position_embeddings", "initializer_range", "pad_token_id"),
    )
    torch.manual_seed(1)
    config = LlavaConfig(
        vision_config=plain.model.config.vision_config,
        text_config=MistralConfig(**{name: text[name] for name in names}, sliding_window=window),
        image_token_id=plain.model.config.image_token_id,
        image_seq_length=plain.model.config.image_seq_length,
    )
    return Loaded(LlavaForConditionalGeneration(config).eval(), plain.processor)


def cross_attending(folder: Path) -> Loaded:
    """Return an Mllama, whose text reaches the image by cross-attention."""
    import torch
    from transformers import (
        MllamaConfig,
        MllamaForConditionalGeneration,
        MllamaImageProcessor,
        MllamaProcessor,
    )
    from transformers.models.mllama.configuration_mllama import MllamaTextConfig, MllamaVisionConfig

    plain = load_model(random_llava(folder))
    tokenizer: Any = plain.processor.tokenizer
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>", "<|image|>"]})
    processor = MllamaProcessor(
        MllamaImageProcessor(size={"height": 28, "width": 28}, max_image_tiles=1),
        tokenizer,
        chat_template=plain.processor.chat_template.replace("<image>", "<|image|>"),
    )
    torch.manual_seed(1)
    config = MllamaConfig(
        vision_config=MllamaVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_global_layers=1,
            attention_heads=4,
            image_size=28,
            patch_size=14,
            vision_output_dim=64,
            intermediate_layers_indices=[0],
            max_num_tiles=1,
            supported_aspect_ratios=[[1, 1]],
        ),
        text_config=MllamaTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=4,
            cross_attention_layers=[1],
            initializer_range=0.3,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<|image|>"),
    )
    model = MllamaForConditionalGeneration(config).eval()
    for layer in model.model.language_model.layers:  # gates start at nothing: no image would be seen
        for name in ("cross_attn_attn_gate", "cross_attn_mlp_gate"):
            if hasattr(layer, name):
                getattr(layer, name).data.fill_(1.0)
    return Loaded(model, processor)
