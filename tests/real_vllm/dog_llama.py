"""A Llama with weights by hand that says "Dog" whatever it is asked, and ["Dog"] when forced into a list.

Its layers add nothing, so the next token depends on the last one alone: D, o, g, a quotation mark, and from
there D again. A grammar that wants a JSON list turns that into ["Dog"]; without one it is no list.
"""

from __future__ import annotations

from pathlib import Path

from tiny_llama import write_bytes_tokenizer

from dama.torchvision_cpu import declare_missing_operators

_NEXT = {"D": "o", "o": "g", "g": '"', '"': "D", "<|assistant|>": "D"}
_ELSE = ("]", "</s>")
"""What it would rather say than anything else, where the grammar takes its first choice away."""


def write_dog_llama(folder: Path, *, context: int = 8192) -> Path:
    """Write model and tokenizer in Hugging Face layout."""
    declare_missing_operators()
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    write_bytes_tokenizer(folder)
    token = AutoTokenizer.from_pretrained(folder).get_vocab()
    config = LlamaConfig(
        vocab_size=len(token),
        hidden_size=512,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=8,
        num_key_value_heads=1,
        max_position_embeddings=context,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
        model.model.norm.weight.fill_(1.0)
        for number in range(len(token)):
            model.model.embed_tokens.weight[number, number] = 1.0
        for rank, name in enumerate(_ELSE, start=1):
            model.lm_head.weight[token[name], : len(token)] = 1.0 / rank
        for last, following in _NEXT.items():
            model.lm_head.weight[token[following], token[last]] = 2.0
    model.save_pretrained(folder)
    return folder
