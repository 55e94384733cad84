"""A tiny Llama with random weights, as vLLM loads it, for tests in which what it says does not matter."""

from __future__ import annotations

import json
from pathlib import Path

from dama.torchvision_cpu import declare_missing_operators

CHAT = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_SPECIALS = ("<pad>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>")


def write_tiny_llama(folder: Path, *, context: int = 2048, layers: int = 2, width: int = 128) -> Path:
    """Write model and tokenizer in Hugging Face layout; seeded, about a megabyte."""
    declare_missing_operators()
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(_SPECIALS) + 256,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=context,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    write_bytes_tokenizer(folder)
    return folder


def write_bytes_tokenizer(folder: Path, chat: str | None = CHAT) -> None:
    """Write a tokenizer with one token a byte, no merges, and a chat template."""
    declare_missing_operators()
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*_SPECIALS, *letters])}
    bytes_ = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_.decoder = decoders.ByteLevel()
    bytes_.add_special_tokens(list(_SPECIALS))
    PreTrainedTokenizerFast(
        tokenizer_object=bytes_, pad_token="<pad>", bos_token="<s>", eos_token="</s>", chat_template=chat
    ).save_pretrained(folder)


def write_llama_config(folder: Path, **changes: object) -> None:
    """Write no weights, only what says which model they would be of."""
    config = {"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 64, **changes}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
