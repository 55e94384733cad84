"""A random open_clip model of a few thousand weights with a word tokenizer, as a local folder."""

from __future__ import annotations

import json
from pathlib import Path

WORDS = [
    "[PAD]",
    "[UNK]",
    "a",
    "red",
    "blue",
    "green",
    "small",
    "big",
    "circle",
    "star",
    "square",
    "the",
    "at",
    "on",
    ".",
    "left",
    "right",
    "top",
]
CONTEXT = 10


def write_tiny_clip(folder: Path) -> Path:
    """Fill `folder` with open_clip_config.json, open_clip_model.safetensors and the tokenizer's files."""
    from dama.torchvision_cpu import declare_missing_operators

    declare_missing_operators()
    import open_clip
    import torch
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: index for index, word in enumerate([*WORDS, "[BOS]", "[EOS]"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[BOS] $A [EOS]",
        special_tokens=[("[BOS]", vocabulary["[BOS]"]), ("[EOS]", vocabulary["[EOS]"])],
    )
    folder.mkdir(parents=True, exist_ok=True)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="[BOS]", eos_token="[EOS]", pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(str(folder))
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": len(vocabulary),
            "width": 32,
            "heads": 2,
            "layers": 2,
            "hf_tokenizer_name": "tiny",
        },
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.CLIP(**json.loads(json.dumps(config)))
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    return folder
