"""Answers by vLLM's offline engine: a whole shard at once, from the very prompts that transformers gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dama.model.load import load_processor
from dama.model.prompt import prompt_text
from dama.records import Answer, Question

if TYPE_CHECKING:
    from PIL import Image


class Engine(Protocol):
    """What goes on from prompts: `dama.serving.vllm.OfflineVision`, or a test's stand-in."""

    def go_on(
        self, prompts: Sequence[Sequence[int]], images: Sequence[Image.Image], *, new_tokens: int
    ) -> list[list[int]]:
        """Return the greedy tokens behind each prompt, `new_tokens` at most."""
        ...


class OfflineAnswerer:
    """A model folder behind vLLM (`dama.evaluate.answerer.Answerer`).

    Prompts are written and answers are read by the model's own processor, so that both engines mean the same
    tokens; the engine puts the image's tokens where the one that stands for them is.
    """

    def __init__(self, folder: Path, engine: Engine, *, max_new_tokens: int) -> None:
        self._processor, self._engine, self._tokens = load_processor(folder), engine, max_new_tokens

    def answer(
        self,
        questions: Sequence[Question],
        image: Callable[[Question], Image.Image],
        advance: Callable[[int], None] = lambda count: None,
    ) -> list[Answer]:
        """Return one answer a question, in order."""
        tokenizer = self._processor.tokenizer
        prompts = [tokenizer(prompt_text(self._processor, one.prompt)).input_ids for one in questions]
        said = self._engine.go_on(prompts, [image(one) for one in questions], new_tokens=self._tokens)
        texts = self._processor.batch_decode(said, skip_special_tokens=True)
        advance(len(questions))
        return [Answer(one.id, str(text).strip()) for one, text in zip(questions, texts, strict=True)]
