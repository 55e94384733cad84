"""Answers of a tiny LLaVA to questions about pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from dama.benchmarks.base import Benchmark
from dama.benchmarks.miniature import Miniature
from dama.errors import DataError
from dama.evaluate.generate import Generator
from dama.evaluate.pictures import pictures
from dama.model.load import Loaded, load_model
from dama.model.prompt import prompt_text
from dama.records import Answer, BenchmarkResult, Question

TOKENS = 12


class Mixed:
    """A benchmark whose prompts differ in length."""

    name, version, data_digest = "mixed", "1", "0" * 64

    def __init__(self, image: bytes, prompts: Sequence[str]) -> None:
        self._image, self._prompts = image, prompts

    def questions(self) -> Iterator[Question]:
        for i, prompt in enumerate(self._prompts):
            yield Question(f"q{i}", "scene.png", prompt)

    def image(self, question: Question) -> bytes:
        return self._image

    def score(self, answers: Sequence[Answer]) -> BenchmarkResult:
        return BenchmarkResult(self.name, self.version, (), "", self.data_digest)


@pytest.fixture(scope="module")
def loaded(small_world: Path) -> Loaded:
    return load_model(small_world / "llava")


@pytest.fixture(scope="module")
def held_out(small_world: Path) -> Miniature:
    return Miniature(small_world / "benchmark.parquet", 5)


def generate(loaded: Loaded, benchmark: Benchmark, *, max_new_tokens: int, batch: int) -> list[Answer]:
    generator = Generator(loaded, max_new_tokens=max_new_tokens, batch=batch)
    return generator.answer(list(benchmark.questions()), pictures(benchmark))


def by_hand(loaded: Loaded, benchmark: Mixed, question: Question) -> list[int]:
    """Argmax after argmax over the whole sequence, without cache, padding or `generate`."""
    import io

    from PIL import Image

    image = Image.open(io.BytesIO(benchmark.image(question)))
    text = prompt_text(loaded.processor, question.prompt)
    inputs = loaded.processor(text=[text], images=[image], return_tensors="pt")
    ids, said = inputs["input_ids"], list[int]()
    for _ in range(TOKENS):
        with torch.no_grad():
            logits = loaded.model(input_ids=ids, pixel_values=inputs["pixel_values"]).logits
        said.append(int(logits[0, -1].argmax()))
        if said[-1] == loaded.processor.tokenizer.eos_token_id:
            break
        ids = torch.cat([ids, torch.tensor([[said[-1]]])], dim=1)
    return said


def test_answers_are_the_likeliest_words_whatever_the_length_of_the_prompts(
    loaded: Loaded, held_out: Miniature
) -> None:
    image = held_out.image(next(held_out.questions()))
    prompts = ["Describe the image.", "Describe.", "Describe the image at the top left. A big red star."]
    benchmark = Mixed(image, prompts)
    answers = generate(loaded, benchmark, max_new_tokens=TOKENS, batch=3)
    for question, answer in zip(benchmark.questions(), answers, strict=True):
        said = by_hand(loaded, benchmark, question)
        assert answer.text == loaded.processor.tokenizer.decode(said, skip_special_tokens=True).strip()
    assert any(answer.text for answer in answers)


def test_answers_come_in_the_order_of_the_questions(loaded: Loaded, held_out: Miniature) -> None:
    answers = generate(loaded, held_out, max_new_tokens=2, batch=2)
    assert [answer.id for answer in answers] == [question.id for question in held_out.questions()]


def test_the_same_model_answers_the_same(loaded: Loaded, held_out: Miniature) -> None:
    first, second = (generate(loaded, held_out, max_new_tokens=TOKENS, batch=5) for _ in range(2))
    assert first == second


def test_progress_counts_questions(loaded: Loaded, held_out: Miniature) -> None:
    counts: list[int] = []
    generator = Generator(loaded, max_new_tokens=1, batch=2)
    generator.answer(list(held_out.questions()), pictures(held_out), counts.append)
    assert counts == [2, 2, 1]


def test_a_tokenizer_without_padding_repeats_its_end(small_world: Path, held_out: Miniature) -> None:
    loaded = load_model(small_world / "llava")
    usual = generate(loaded, held_out, max_new_tokens=3, batch=5)
    loaded.processor.tokenizer.pad_token = None
    assert generate(loaded, held_out, max_new_tokens=3, batch=1) == usual


def test_an_image_that_cannot_be_decoded_is_named(loaded: Loaded) -> None:
    with pytest.raises(DataError, match=r"question q0: image scene\.png cannot be decoded"):
        generate(loaded, Mixed(b"no image", ["Describe."]), max_new_tokens=1, batch=1)
