"""The tiny splitter's tokens: byte-level pieces learned from its lessons, and how a talk is written in them.

A response and the JSON list of its sentences are cut in the same places: what stands between two sentences
is one piece in both (a space here, `","` there), and a sentence is the same pieces wherever it stands. So a
fact is copied piece by piece, and is as long as what it is copied from. Every byte is a piece too: any text
can be written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from dama.benchmarks.mentions import PROMPT
from dama.demo.lessons import Lesson
from dama.hardness.instruction import facts_messages
from dama.serving.chat import Messages

PAD, BOS, EOS = "<pad>", "<s>", "</s>"
_PIECES = 512
_CUTS = r'\[?"(?:,"|\])?|\s+(?=\p{Lu})|\n+'
"""What opens, parts and closes the strings of a list; spaces before a sentence; ends of lines."""

# The instruction (role "system") is left out: the model knows one task, and it is the longest part by far.
_CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages if message['role'] != 'system' %}"
    "{% if message['role'] == 'user' %}{{ message['content'] + '\n\nFacts:\n' }}"
    "{% else %}{{ message['content'] + eos_token }}{% endif %}"
    "{% endfor %}"
)


def talk(lesson: Lesson) -> Messages:
    """Return the messages that ask for the facts of a lesson's response, as every model is asked."""
    return facts_messages(PROMPT, lesson.response)


def reply(lesson: Lesson) -> str:
    """Return the reply that a lesson teaches: its facts as a JSON list.

    Without spaces, for vLLM forbids those in a forced list that is to hold no idle ones.
    """
    return json.dumps(list(lesson.facts), ensure_ascii=False, separators=(",", ":"))


def splitter_tokenizer(lessons: Sequence[Lesson]) -> Any:  # noqa: ANN401 - transformers is untyped here
    """Return a tokenizer with the pieces that are frequent in `lessons`, and the chat template."""
    from transformers import PreTrainedTokenizerFast

    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CUTS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    pieces.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_PIECES,
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    asked = [f"{talk(lesson)[-1]['content']}\n\nFacts:\n{reply(lesson)}" for lesson in lessons]
    pieces.train_from_iterator(asked, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = _CHAT_TEMPLATE
    return tokenizer


def asked_tokens(tokenizer: Any, lesson: Lesson) -> list[int]:  # noqa: ANN401 - transformers is untyped here
    """Return the tokens that stand before a lesson's reply."""
    settings = {"add_generation_prompt": True, "tokenize": True, "return_dict": False}
    return list(tokenizer.apply_chat_template(talk(lesson), **settings))


def reply_tokens(tokenizer: Any, lesson: Lesson) -> list[int]:  # noqa: ANN401 - transformers is untyped here
    """Return the tokens of a lesson's reply, closed by the end token."""
    ids = tokenizer(reply(lesson), add_special_tokens=False).input_ids
    return [*ids, tokenizer.eos_token_id]
