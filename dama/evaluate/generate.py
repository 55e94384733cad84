"""A model's answers to a benchmark's questions: greedy, in batches, in the order of the questions."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import torch
from PIL import Image, UnidentifiedImageError

from dama.benchmarks.base import Benchmark
from dama.errors import DataError
from dama.model.load import Loaded
from dama.model.prompt import prompt_text
from dama.records import Answer, Question


def generate(
    loaded: Loaded,
    benchmark: Benchmark,
    *,
    max_new_tokens: int,
    batch: int,
    advance: Callable[[int], None] = lambda count: None,
) -> Iterator[Answer]:
    """Yield the model's answer to every question of `benchmark`, in order.

    `batch` questions are answered at a time; `advance` is called with their number when they are. The same
    model, device and threads give the same answers. Raises DataError for an image that cannot be decoded.
    """
    questions = benchmark.questions()
    while asked := list(islice(questions, batch)):
        images = [_decoded(benchmark.image(question), question) for question in asked]
        texts = _answers(loaded, [question.prompt for question in asked], images, max_new_tokens)
        for question, text in zip(asked, texts, strict=True):
            yield Answer(question.id, text)
        advance(len(asked))


@torch.inference_mode()
def _answers(
    loaded: Loaded, prompts: Sequence[str], images: Sequence[Image.Image], max_new_tokens: int
) -> list[str]:
    """Return the greedy answer to each prompt about its image."""
    processor, model = loaded.processor, loaded.model
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
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        temperature=None,  # a checkpoint's own settings for sampling
        top_p=None,
        top_k=None,
        pad_token_id=tokenizer.pad_token_id,
    )
    said = tokens[:, inputs["input_ids"].shape[1] :]
    return [str(text).strip() for text in processor.batch_decode(said, skip_special_tokens=True)]


def _decoded(data: bytes, question: Question) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data)).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(
            f"question {question.id}: image {question.image} cannot be decoded ({error})",
            do="fetch the benchmark's images again",
        ) from error
