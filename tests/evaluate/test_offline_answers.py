"""What vLLM's offline engine is given and what its tokens mean, with transformers standing in for it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from llavas import WORDS, random_llava
from PIL import Image

from dama.errors import ModelError
from dama.evaluate.generate import Generator
from dama.evaluate.offline import OfflineAnswerer
from dama.model.load import Loaded, load_model, load_processor
from dama.records import Question
from dama.spec.load import parse
from dama.stages.answering import open_answerer

TOKENS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_llava(tmp_path_factory.mktemp("llava"))


class StandIn:
    """Goes on from tokens as vLLM does: the image's tokens take the place of the one that stands for them."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self.asked: list[list[int]] = []

    def go_on(
        self, prompts: Sequence[Sequence[int]], images: Sequence[Image.Image], *, new_tokens: int
    ) -> list[list[int]]:
        model, processor = self._loaded.model, self._loaded.processor
        found = []
        for prompt, image in zip(prompts, images, strict=True):
            self.asked.append(list(prompt))
            stands = model.config.image_token_id
            assert list(prompt).count(stands) == 1
            ids = [token for one in prompt for token in [one] * (4 if one == stands else 1)]
            pixels = processor.image_processor(images=[image], return_tensors="pt")["pixel_values"]
            tensor = torch.tensor([ids])
            with torch.no_grad():
                said = model.generate(
                    input_ids=tensor,
                    attention_mask=torch.ones_like(tensor),
                    pixel_values=pixels,
                    do_sample=False,
                    max_new_tokens=new_tokens,
                )
            found.append(said[0, len(ids) :].tolist())
        return found


def picture(question: Question) -> Image.Image:
    return Image.frombytes("RGB", (30, 20), random.Random(question.id).randbytes(30 * 20 * 3))


def test_its_answers_are_those_of_the_usual_way(folder: Path) -> None:
    chance = random.Random(1)
    questions = [
        Question(f"q{number}", "", " ".join(chance.choices(WORDS, k=length)))
        for number, length in enumerate((3, 1, 8, 5))
    ]
    loaded = load_model(folder)
    usual = Generator(loaded, max_new_tokens=TOKENS, batch=3).answer(questions, picture)
    engine, counts = StandIn(loaded), list[int]()
    found = OfflineAnswerer(folder, engine, max_new_tokens=TOKENS).answer(questions, picture, counts.append)
    assert found == usual
    assert any(answer.text for answer in found)
    assert counts == [4]
    assert [len(prompt) for prompt in engine.asked] == [5 + 3, 5 + 1, 5 + 8, 5 + 5], "one token an image"


def test_opening_it_loads_no_engine(folder: Path) -> None:
    text = f"model: {{kind: local, path: {folder}}}\ndata: {{kind: jsonl, uri: d}}"
    overrides = ["evaluate.engine=vllm", "train.device=cpu", "train.dtype=float32", "method=dpo"]
    spec = parse(text, overrides, folder=folder)
    assert isinstance(open_answerer(spec, folder), OfflineAnswerer)


def test_a_folder_without_a_processor_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="no model can be loaded from"):
        load_processor(tmp_path)
