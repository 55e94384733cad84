"""A preference as token ids and pixels: the prompt once, every answer by name.

Names of shapes: P prompt tokens (image tokens included), A answer tokens, I images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from dama.errors import DataError, ModelError
from dama.model.prompt import full_text, prompt_text


@dataclass(frozen=True)
class Encoded:
    """One preference, ready to be laid into rows."""

    id: str
    prompt_ids_P: Tensor
    images: Mapping[str, Tensor]
    """What the model's forward is given of the image: `pixel_values` [I, C, H, W], for some families more."""
    answers: Mapping[str, Tensor]
    """Token ids of each answer, end-of-text included, by name (`chosen`, `rejected`)."""
    cut: int
    """Answer tokens that max_length cut off."""
    per_token: Mapping[str, Tensor] = field(default_factory=dict)
    """What the processor says of each prompt token beside its id, [P, ...]; empty for LLaVA."""

    @property
    def tokens(self) -> int:
        """Tokens of the prompt and of all answers."""
        return len(self.prompt_ids_P) + sum(len(ids) for ids in self.answers.values())


class OverLong(DataError):
    """A preference that max_length has no room for; it is quarantined."""


class Encoder:
    """Turns prompts, answers and images into ids with a model's own processor and chat template."""

    def __init__(
        self,
        processor: Any,  # noqa: ANN401 - a transformers processor
        max_length: int,
        over_long: Literal["cut", "quarantine"] = "cut",
    ) -> None:
        self._processor, self._max_length, self._over_long = processor, max_length, over_long
        self._end = processor.tokenizer.eos_token_id
        if self._end is None:
            raise ModelError(
                "the tokenizer has no end-of-text token", wanted="eos_token in tokenizer_config.json"
            )

    def encode(self, id: str, prompt: str, answers: Mapping[str, str], image: Any) -> Encoded:  # noqa: ANN401 - PIL
        """Return the preference's tensors.

        An answer that does not fit behind the prompt within max_length is cut, and loses its end-of-text
        token. OverLong instead where the encoder was told to quarantine, and always when the prompt itself
        leaves no room: image tokens are never cut.
        """
        text = prompt_text(self._processor, prompt)
        inputs = dict(self._processor(text=[text], images=[image], return_tensors="pt"))
        ids_1P = inputs.pop("input_ids")
        inputs.pop("attention_mask", None)
        per_token = {
            name: value[0]
            for name, value in inputs.items()
            if value.shape[:2] == ids_1P.shape and not value.is_floating_point()
        }
        room = self._max_length - ids_1P.shape[1]
        if room < 1:
            raise OverLong(
                f"preference {id}: prompt and image take {ids_1P.shape[1]} tokens of train.max_length "
                f"{self._max_length}",
                do="raise train.max_length or remove the preference",
            )
        before = self._ids(text)
        encoded, cut = {}, 0
        for name, answer in answers.items():
            ids = [*self._answer_ids(prompt, text, before, answer), self._end]
            cut += max(0, len(ids) - room)
            encoded[name] = torch.tensor(ids[:room], dtype=torch.long)
        if cut and self._over_long == "quarantine":
            raise OverLong(
                f"preference {id}: its answers have {cut} tokens more than train.max_length "
                f"{self._max_length} has room for",
                do="raise train.max_length, or let answers be cut by train.over_long=cut",
            )
        images = {name: value for name, value in inputs.items() if name not in per_token}
        return Encoded(id, ids_1P[0], images, encoded, cut, per_token)

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
