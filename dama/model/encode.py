"""A preference as token ids and pixels: the prompt once, every answer by name.

Names of shapes: P prompt tokens (image tokens included), A answer tokens, I images, C channels, H height, W
width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dama.errors import DataError, ModelError
from dama.model.prompt import full_text, prompt_text


@dataclass(frozen=True)
class Encoded:
    """One preference, ready to be laid into rows."""

    id: str
    prompt_ids_P: Tensor
    pixels_ICHW: Tensor
    answers: Mapping[str, Tensor]
    """Token ids of each answer, end-of-text included, by name (`chosen`, `rejected`)."""
    cut: int
    """Answer tokens that max_length cut off."""


class Encoder:
    """Turns prompts, answers and images into ids with a model's own processor and chat template."""

    def __init__(self, processor: Any, max_length: int) -> None:  # noqa: ANN401 - a transformers processor
        self._processor, self._max_length = processor, max_length
        self._end = processor.tokenizer.eos_token_id
        if self._end is None:
            raise ModelError(
                "the tokenizer has no end-of-text token", wanted="eos_token in tokenizer_config.json"
            )

    def encode(self, id: str, prompt: str, answers: Mapping[str, str], image: Any) -> Encoded:  # noqa: ANN401 - PIL
        """Return the preference's tensors.

        An answer that does not fit behind the prompt within max_length is cut, and loses its end-of-text
        token; DataError when the prompt itself leaves no room, because image tokens are never cut.
        """
        text = prompt_text(self._processor, prompt)
        inputs = self._processor(text=[text], images=[image], return_tensors="pt")
        prompt_ids_P = inputs["input_ids"][0]
        room = self._max_length - len(prompt_ids_P)
        if room < 1:
            raise DataError(
                f"preference {id}: prompt and image take {len(prompt_ids_P)} tokens of train.max_length "
                f"{self._max_length}",
                do="raise train.max_length or remove the preference",
            )
        before = self._ids(text)
        encoded, cut = {}, 0
        for name, answer in answers.items():
            ids = [*self._answer_ids(prompt, text, before, answer), self._end]
            cut += max(0, len(ids) - room)
            encoded[name] = torch.tensor(ids[:room], dtype=torch.long)
        return Encoded(id, prompt_ids_P, inputs["pixel_values"], encoded, cut)

    def _answer_ids(self, prompt: str, text: str, before: list[int], answer: str) -> list[int]:
        """Tokenize an answer where it stands, behind the prompt, as the model would read it."""
        whole = full_text(self._processor, prompt, answer)
        ids = self._ids(whole)
        if whole.startswith(text) and ids[: len(before)] == before:
            return ids[len(before) :]
        # The tokenizer merges across the border: the answer's own tokens are then what generation would emit.
        return self._ids(answer, special=False)

    def _ids(self, text: str, *, special: bool = True) -> list[int]:
        return list(self._processor.tokenizer(text, add_special_tokens=special)["input_ids"])
