"""The tiny splitter: a Llama of two layers that copies sentences, in the layout that vLLM loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dama.demo.copying import lay_circuit
from dama.torchvision_cpu import declare_missing_operators

WIDTH, LAYERS, HEADS, HEAD_WIDTH, FEED_FORWARD = 128, 2, 4, 32, 256
POSITIONS = 1024
"""Tokens it reads; lessons have some 60, and 250 at most."""
_ROPE_THETA = 500_000.0
"""As Llama 3's: pairs that hardly turn over a caption's length compare tokens wherever they stand."""
_STD = WIDTH**-0.5


def new_splitter(tokenizer: Any, seed: int) -> Any:  # noqa: ANN401 - transformers is untyped here
    """Return a LlamaForCausalLM over the tokenizer's pieces that has yet to learn."""
    declare_missing_operators()
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=FEED_FORWARD,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        head_dim=HEAD_WIDTH,
        max_position_embeddings=POSITIONS,
        rope_parameters={"rope_type": "default", "rope_theta": _ROPE_THETA},
        initializer_range=_STD,
        tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        lay_circuit(model)
    return model


def save_splitter(model: Any, tokenizer: Any, folder: Path) -> None:  # noqa: ANN401 - transformers is untyped here
    """Write `model` and `tokenizer` to `folder` in Hugging Face layout."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
