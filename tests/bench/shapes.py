"""The LLaVAs and the preferences that are measured: shapes only, weights and tokens are random.

What is learned is of no interest to a clock, so nothing is downloaded. Every answer has the same length, so
that nobody wins or loses by padding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from dama.model.encode import Encoded
from dama.torchvision_cpu import declare_missing_operators

IMAGE_TOKEN, PAD, END = 4, 0, 2
"""Ids of the image placeholder, padding and end-of-text."""
FIRST_WORD = 5


@dataclass(frozen=True)
class Shape:
    """A LLaVA and the preferences that it is given."""

    name: str
    width: int
    feed_forward: int
    layers: int
    heads: int
    vision_width: int
    vision_feed_forward: int
    vision_layers: int
    vision_heads: int
    vocabulary: int = 32064
    image: int = 336
    patch: int = 14
    prompt: int = 616
    """Tokens in front of the answers, image tokens included."""
    answer: int = 100
    """Tokens of each answer, end-of-text included."""

    @property
    def image_tokens(self) -> int:
        """Tokens that the image takes in the prompt."""
        return (self.image // self.patch) ** 2

    def line(self) -> str:
        """Return the shape in one line, for the head of a table."""
        return (
            f"{self.name}: text {self.layers} layers × {self.width}, vision {self.vision_layers} × "
            f"{self.vision_width}, vocabulary {self.vocabulary}; prompt {self.prompt} tokens "
            f"({self.image_tokens} of the image), answers {self.answer}"
        )


LLAVA_7B = Shape("llava-1.5-7b", 4096, 11008, 32, 32, 1024, 4096, 24, 16)
"""LLaVA-1.5-7B exactly: Vicuna-7B behind CLIP ViT-L/14 at 336 pixels."""
SMALL = Shape("small", 512, 1376, 4, 4, 128, 512, 3, 2)
"""LLaVA-1.5-7B with every width and every depth divided by eight: the widths of heads, image, vocabulary and
tokens stay. One rule, so that no number is picked for its result. What the rule distorts: the language head
is 57 % of the text weights here and 2 % in the 7B, and the head runs on every position the usual way and on
answers only when rows are shared. `--layers` shows how the ratio falls as layers are added."""
MINUTE = Shape("minute", 32, 64, 2, 2, 32, 64, 2, 2, vocabulary=96, image=28, prompt=12, answer=6)
"""So small that a whole benchmark takes seconds: to try a script, never to believe its numbers."""
TINY = Shape("tiny", 128, 256, 3, 4, 96, 384, 3, 3, vocabulary=64, image=72, patch=24, prompt=20, answer=30)
"""The miniature world's LLaVA: its steps are so short that a checkpoint weighs most."""
SHAPES = {shape.name: shape for shape in (SMALL, TINY, MINUTE, LLAVA_7B)}


def deeper(shape: Shape, layers: int | None) -> Shape:
    """Return `shape` with so many text layers, itself where None."""
    return shape if layers is None else replace(shape, layers=layers)


def new_llava(shape: Shape, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Any:
    """Return a LlavaForConditionalGeneration of this shape with random weights, made on the device."""
    declare_missing_operators()
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=shape.vision_width,
            intermediate_size=shape.vision_feed_forward,
            num_hidden_layers=shape.vision_layers,
            num_attention_heads=shape.vision_heads,
            image_size=shape.image,
            patch_size=shape.patch,
            projection_dim=shape.vision_width,
        ),
        text_config=LlamaConfig(
            hidden_size=shape.width,
            intermediate_size=shape.feed_forward,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.heads,
            vocab_size=shape.vocabulary,
            max_position_embeddings=4096,
            bos_token_id=1,
            eos_token_id=END,
            pad_token_id=PAD,
        ),
        image_token_id=IMAGE_TOKEN,
        image_seq_length=shape.image_tokens,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        tie_word_embeddings=False,
    )
    before = torch.get_default_dtype()
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return LlavaForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(before)


def preferences(shape: Shape, count: int) -> list[Encoded]:
    """Return `count` preferences of random words and pixels."""
    generator = torch.Generator().manual_seed(0)

    def words(size: int) -> torch.Tensor:
        return torch.randint(FIRST_WORD, shape.vocabulary, (size,), generator=generator)

    made = []
    for n in range(count):
        text = words(shape.prompt - shape.image_tokens)
        prompt = torch.cat([text[:1], torch.full((shape.image_tokens,), IMAGE_TOKEN), text[1:]])
        pixels = torch.randn(1, 3, shape.image, shape.image, generator=generator)
        answers = {
            name: torch.cat([words(shape.answer - 1), torch.tensor([END])]) for name in ("chosen", "rejected")
        }
        made.append(Encoded(f"p{n}", prompt, {"pixel_values": pixels}, answers, 0))
    return made
