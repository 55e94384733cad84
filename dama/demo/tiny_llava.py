"""A tiny LLaVA: the tiny CLIP's vision tower, a projector and a small Llama, in Hugging Face layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dama.demo import tiny_clip
from dama.demo.painting import CELL_PIXELS, PIXELS
from dama.demo.tokens import BOS, EOS, IMAGE, PAD, WORDS, llava_tokenizer
from dama.torchvision_cpu import declare_missing_operators

IMAGE_TOKENS = (PIXELS // CELL_PIXELS) ** 2
_HIDDEN, _FEED_FORWARD, _LAYERS, _HEADS = 128, 256, 3, 4
_POSITIONS = 256


def new_llava(clip: Any, seed: int) -> Any:  # noqa: ANN401 - open_clip and transformers models
    """Return a LlavaForConditionalGeneration that sees as `clip` does (frozen) and cannot speak yet."""
    declare_missing_operators()
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    pad, bos, eos = (WORDS.index(token) for token in (PAD, BOS, EOS))
    vision = CLIPVisionConfig(
        hidden_size=tiny_clip.WIDTH,
        intermediate_size=4 * tiny_clip.WIDTH,
        projection_dim=tiny_clip.EMBED,
        num_hidden_layers=tiny_clip.LAYERS,
        num_attention_heads=tiny_clip.WIDTH // tiny_clip.HEAD_WIDTH,
        image_size=PIXELS,
        patch_size=CELL_PIXELS,
        hidden_act="gelu",
    )
    text = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=_HIDDEN,
        intermediate_size=_FEED_FORWARD,
        num_hidden_layers=_LAYERS,
        num_attention_heads=_HEADS,
        max_position_embeddings=_POSITIONS,
        pad_token_id=pad,
        bos_token_id=bos,
        eos_token_id=eos,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=WORDS.index(IMAGE),
        image_seq_length=IMAGE_TOKENS,
        vision_feature_select_strategy="default",
        vision_feature_layer=-2,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(config)
    model.model.vision_tower.load_state_dict(vision_state(clip))
    model.model.vision_tower.requires_grad_(False)
    model.generation_config.pad_token_id = pad
    model.generation_config.bos_token_id = bos
    model.generation_config.eos_token_id = eos
    return model.eval()


def save_llava(model: Any, folder: Path) -> None:  # noqa: ANN401 - a transformers model
    """Write `model` and its processor to `folder` in Hugging Face layout."""
    model.save_pretrained(folder)
    new_processor().save_pretrained(folder)


def new_processor() -> Any:  # noqa: ANN401 - a transformers processor
    """Return the tiny LLaVA's processor; pictures of 72 × 72 pixels pass its resizing unchanged."""
    declare_missing_operators()
    from transformers import CLIPImageProcessor, LlavaProcessor

    images = CLIPImageProcessor(
        size={"shortest_edge": PIXELS},
        crop_size={"height": PIXELS, "width": PIXELS},
        image_mean=list(tiny_clip.MEAN),
        image_std=list(tiny_clip.STD),
    )
    tokenizer = llava_tokenizer()
    return LlavaProcessor(
        images,
        tokenizer,
        patch_size=CELL_PIXELS,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tokenizer.chat_template,
    )


def vision_state(clip: Any) -> dict[str, torch.Tensor]:  # noqa: ANN401 - an open_clip model
    """Return the weights of open_clip's vision transformer under the names that transformers gives them."""
    old = clip.visual.state_dict()
    new = {
        "embeddings.class_embedding": old["class_embedding"],
        "embeddings.patch_embedding.weight": old["conv1.weight"],
        "embeddings.position_embedding.weight": old["positional_embedding"],
    }
    for ours, theirs in (("pre_layrnorm", "ln_pre"), ("post_layernorm", "ln_post")):
        _copy(new, ours, old, theirs)
    for layer in range(tiny_clip.LAYERS):
        ours, theirs = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        pairs = (
            ("layer_norm1", "ln_1"),
            ("layer_norm2", "ln_2"),
            ("mlp.fc1", "mlp.c_fc"),
            ("mlp.fc2", "mlp.c_proj"),
            ("self_attn.out_proj", "attn.out_proj"),
        )
        for left, right in pairs:
            _copy(new, f"{ours}.{left}", old, f"{theirs}.{right}")
        for what in ("weight", "bias"):  # one matrix for queries, keys and values there, three here
            parts = old[f"{theirs}.attn.in_proj_{what}"].chunk(3)
            for name, part in zip(("q_proj", "k_proj", "v_proj"), parts, strict=True):
                new[f"{ours}.self_attn.{name}.{what}"] = part
    return {name: tensor.clone() for name, tensor in new.items()}


def _copy(new: dict[str, torch.Tensor], ours: str, old: dict[str, torch.Tensor], theirs: str) -> None:
    for what in ("weight", "bias"):
        new[f"{ours}.{what}"] = old[f"{theirs}.{what}"]
