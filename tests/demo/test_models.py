"""The tiny CLIP and the tiny LLaVA, as the libraries that load them see them."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from dama.benchmarks.mentions import PROMPT
from dama.demo.captioning import answer_tokens, look, prompt_tokens, sample
from dama.demo.tiny_clip import normalised
from dama.demo.tokens import BOS, EOS, IMAGE, PAD, WORDS, clip_tokenizer
from dama.model.load import Loaded, load_model
from dama.model.prompt import prompt_text
from dama.torchvision_cpu import declare_missing_operators


@pytest.fixture(scope="module")
def pictures(small_world: Path) -> list[Image.Image]:
    rows = pq.read_table(small_world / "benchmark.parquet").to_pylist()
    return [Image.open(io.BytesIO(row["image"])) for row in rows]


@pytest.fixture(scope="module")
def pixels(pictures: list[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(picture) for picture in pictures])


@pytest.fixture(scope="module")
def clip(small_world: Path) -> Any:
    declare_missing_operators()
    import open_clip

    return open_clip.create_model_from_pretrained(f"local-dir:{small_world / 'clip'}")


@pytest.fixture(scope="module")
def llava(small_world: Path) -> Loaded:
    return load_model(small_world / "llava")


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Warnings that transformers writes to its own log."""
    said: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, handler = logging.getLogger("transformers"), Keep(logging.WARNING)
    logger.addHandler(handler)
    yield said
    logger.removeHandler(handler)


def test_open_clip_sees_pictures_as_they_were_trained_on(
    clip: Any, pictures: list[Image.Image], pixels: np.ndarray
) -> None:
    _, transform = clip
    seen = torch.stack([transform(picture) for picture in pictures])
    torch.testing.assert_close(seen, normalised(pixels))


def test_open_clip_reads_texts_as_they_were_trained_on(small_world: Path) -> None:
    import open_clip

    tokenizer = open_clip.get_tokenizer(f"local-dir:{small_world / 'clip'}")
    (ids,) = tokenizer(["A small red star at the middle right."]).tolist()
    words = [WORDS[i] for i in ids]
    fact = ["a", "small", "red", "star", "at", "the", "middle", "right", "."]
    assert words == [BOS, *fact, EOS, *[PAD] * (24 - 11)]
    assert ids[:11] == clip_tokenizer()("A small red star at the middle right.").input_ids


def test_the_llava_sees_what_the_clip_sees(clip: Any, llava: Loaded, pixels: np.ndarray) -> None:
    inputs = normalised(pixels)
    with torch.no_grad():
        tower = llava.model.model.vision_tower(inputs, output_hidden_states=True)
        visual = clip[0].visual
        states = visual.forward_intermediates(inputs, output_fmt="NLC", output_extra_tokens=True)
    for layer in range(3):
        found = tower.hidden_states[layer + 1][:, 1:]
        torch.testing.assert_close(found, states["image_intermediates"][layer], rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        pooled = llava.model.model.vision_tower.post_layernorm(tower.last_hidden_state)[:, 1:].mean(1)
        torch.testing.assert_close(pooled @ visual.proj, visual(inputs), rtol=1e-4, atol=1e-5)


def test_features_are_those_that_the_projector_reads(llava: Loaded, pixels: np.ndarray) -> None:
    features = look(llava.model, pixels)
    assert features.shape == (len(pixels), 9, 96)
    with torch.no_grad():
        whole = llava.model.model.get_image_features(
            normalised(pixels), vision_feature_layer=-2, vision_feature_select_strategy="default"
        )
        torch.testing.assert_close(
            torch.stack(list(whole.pooler_output)), llava.model.model.multi_modal_projector(features)
        )


def test_the_processor_leaves_pictures_and_prompt_as_they_were_trained_on(
    llava: Loaded, pictures: list[Image.Image], pixels: np.ndarray
) -> None:
    text = prompt_text(llava.processor, PROMPT)
    assert text == "USER: <image>\nDescribe the image. ASSISTANT:"
    inputs = llava.processor(text=[text], images=[pictures[0]], return_tensors="pt")
    torch.testing.assert_close(inputs["pixel_values"], normalised(pixels[:1]))
    assert inputs["input_ids"].tolist() == [prompt_tokens()]
    assert [WORDS[i] for i in prompt_tokens()].count(IMAGE) == 9


def test_an_answer_is_tokenized_as_it_stands_behind_the_prompt(llava: Loaded) -> None:
    text, answer = prompt_text(llava.processor, PROMPT), "A small red star at the middle right."
    ids = llava.processor.tokenizer(f"{text} {answer}").input_ids
    before = llava.processor.tokenizer(text).input_ids
    assert [*before, *answer_tokens(answer)] == [*ids, WORDS.index(EOS)]


def test_sampling_near_zero_temperature_is_greedy_generation(
    llava: Loaded, pictures: list[Image.Image], pixels: np.ndarray
) -> None:
    generator = torch.Generator().manual_seed(0)
    said = sample(
        llava.model, look(llava.model, pixels[:4]), temperature=1e-6, max_new_tokens=8, generator=generator
    )
    text = prompt_text(llava.processor, PROMPT)
    inputs = llava.processor(text=[text] * 4, images=pictures[:4], return_tensors="pt")
    tokens = llava.model.generate(**inputs, max_new_tokens=8, do_sample=False)
    answers = llava.processor.batch_decode(tokens[:, len(prompt_tokens()) :], skip_special_tokens=True)
    assert said == answers


def test_sampling_follows_its_generator(llava: Loaded, pixels: np.ndarray) -> None:
    features = look(llava.model, pixels[:4])

    def drawn(seed: int) -> list[str]:
        generator = torch.Generator().manual_seed(seed)
        return sample(llava.model, features, temperature=1.0, max_new_tokens=8, generator=generator)

    assert drawn(0) == drawn(0) != drawn(1)


def test_the_llava_folder_loads_without_a_warning(small_world: Path, logged: list[str]) -> None:
    declare_missing_operators()
    from transformers import AutoModelForImageTextToText, AutoProcessor, LlavaForConditionalGeneration

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = AutoModelForImageTextToText.from_pretrained(small_world / "llava")
        processor = AutoProcessor.from_pretrained(small_world / "llava")
    assert isinstance(model, LlavaForConditionalGeneration)
    assert processor.patch_size == 24
    assert logged == []


def test_folders_hold_few_files_and_no_pickle(small_world: Path) -> None:
    names = {path.name for folder in ("clip", "llava") for path in (small_world / folder).iterdir()}
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pth", ".py"))]
    assert len(list((small_world / "clip").iterdir())) + len(list((small_world / "llava").iterdir())) <= 12
