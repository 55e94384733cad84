"""One small word-level vocabulary, as the tokenizers of the tiny CLIP and the tiny LLaVA."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from dama.benchmarks.mentions import COLOURS, COLUMNS, ROWS, SHAPES, SIZES

PAD, BOS, EOS, UNKNOWN, IMAGE = "<pad>", "<s>", "</s>", "<unk>", "<image>"
_SPECIAL = (PAD, BOS, EOS, UNKNOWN, IMAGE)
_FRAME = (".", ":", "a", "at", "the", "user", "assistant", "describe", "image")
WORDS = (*_SPECIAL, *_FRAME, *SIZES, *COLOURS, *SHAPES, *ROWS, *COLUMNS)

_CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ message['role'] | upper + ': ' }}"
    "{% for part in message['content'] if part['type'] == 'image' %}{{ '<image>\n' }}{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] + ' ' }}{% endfor %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
"""LLaVA-1.5's turns: USER: image, text, ASSISTANT: text."""


def clip_tokenizer() -> Any:  # noqa: ANN401 - transformers is untyped here
    """Return the tiny CLIP's tokenizer: `<s> words </s>`, padded on the right."""
    return _wrapped(f"{BOS} $A {EOS}", padding_side="right")


def llava_tokenizer() -> Any:  # noqa: ANN401 - transformers is untyped here
    """Return the tiny LLaVA's tokenizer: `<s> words` as Llama's, padded on the left."""
    tokenizer = _wrapped(f"{BOS} $A", padding_side="left", extra_special_tokens={"image_token": IMAGE})
    tokenizer.chat_template = _CHAT_TEMPLATE
    return tokenizer


def _wrapped(frame: str, **settings: Any) -> Any:  # noqa: ANN401 - transformers is untyped here
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=UNKNOWN))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.decoder = decoders.WordPiece(prefix="##", cleanup=True)  # joins words, no space before a full stop
    words.post_processor = processors.TemplateProcessing(
        single=frame, special_tokens=[(token, WORDS.index(token)) for token in (BOS, EOS)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
        **settings,
    )
