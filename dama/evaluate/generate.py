"""Answers by transformers: greedy, in batches, on the CPU or one GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from dama.model.load import Loaded
from dama.model.prompt import prompt_text
from dama.records import Answer, Question

if TYPE_CHECKING:
    from PIL import Image


class Generator:
    """A loaded model that answers (`dama.evaluate.answerer.Answerer`)."""

    def __init__(self, loaded: Loaded, *, max_new_tokens: int, batch: int) -> None:
        """Answer `batch` questions at a time, each in `max_new_tokens` at most."""
        self._loaded, self._tokens, self._batch = loaded, max_new_tokens, batch

    def answer(
        self,
        questions: Sequence[Question],
        image: Callable[[Question], Image.Image],
        advance: Callable[[int], None] = lambda count: None,
    ) -> list[Answer]:
        """Return one answer a question, in order; the same model, device and threads give the same ones."""
        answers: list[Answer] = []
        for start in range(0, len(questions), self._batch):
            asked = questions[start : start + self._batch]
            texts = self._answers([question.prompt for question in asked], [image(one) for one in asked])
            answers += [Answer(question.id, text) for question, text in zip(asked, texts, strict=True)]
            advance(len(asked))
        return answers

    @torch.inference_mode()
    def _answers(self, prompts: Sequence[str], images: Sequence[Image.Image]) -> list[str]:
        """Return the greedy answer to each prompt about its image."""
        processor, model = self._loaded.processor, self._loaded.model
        tokenizer = processor.tokenizer
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token  # whatever it is, the attention mask hides it
        inputs = processor(
            text=[prompt_text(processor, prompt) for prompt in prompts],
            images=list(images),
            padding=True,
            padding_side="left",  # an answer goes on where its prompt ends
            return_tensors="pt",
        ).to(model.device, model.dtype)
        tokens = model.generate(
            **inputs,
            max_new_tokens=self._tokens,
            do_sample=False,
            num_beams=1,
            temperature=None,  # a checkpoint's own settings for sampling
            top_p=None,
            top_k=None,
            pad_token_id=tokenizer.pad_token_id,
        )
        said = tokens[:, inputs["input_ids"].shape[1] :]
        return [str(text).strip() for text in processor.batch_decode(said, skip_special_tokens=True)]
