"""Benchmark answers by real vLLM: an exported LLaVA says there what it says under transformers."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from llavas import WORDS, random_llava
from PIL import Image

from dama.evaluate.answerer import Answerer
from dama.records import Answer, Question
from dama.spec.load import parse
from dama.stages.answering import open_answerer

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]

TOKENS = 16


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA as training leaves it: weights under their published names, its processor beside it."""
    from safetensors.torch import save_file

    from dama.model.load import load_model
    from dama.model.published import published

    folder = random_llava(tmp_path_factory.mktemp("llava"), width=128)
    model = load_model(folder).model
    weights = published(model.config, model.state_dict())
    assert weights is not None
    assert "language_model.lm_head.weight" in weights
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def answerer(folder: Path, engine: str) -> Answerer:
    text = f"model: {{kind: local, path: {folder}}}\ndata: {{kind: jsonl, uri: d}}\nhardness: null"
    sizes = (f"evaluate.engine={engine}", f"evaluate.max_new_tokens={TOKENS}", "evaluate.batch=4")
    on_cpu = ("method=dpo", "train.device=cpu", "train.dtype=float32", "train.threads=1")
    return open_answerer(parse(text, [*sizes, *on_cpu], folder=folder), folder)


def questions() -> list[Question]:
    chance = random.Random(0)
    prompts = [" ".join(chance.choices(WORDS, k=length)) for length in (1, 9, 3, 30, 5, 14, 2, 7)]
    return [Question(f"q{number}", f"{number}.png", prompt) for number, prompt in enumerate(prompts)]


def picture(question: Question) -> Image.Image:
    chance = random.Random(question.id)
    return Image.frombytes("RGB", (37, 41), chance.randbytes(37 * 41 * 3))


def test_both_engines_give_the_same_greedy_answers(exported: Path) -> None:
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    usual = answerer(exported, "transformers").answer(questions(), picture)
    offline = answerer(exported, "vllm")
    counts: list[int] = []
    found = offline.answer(questions(), picture, counts.append)
    assert found == usual
    assert counts == [len(found)]
    assert [answer.id for answer in found] == [question.id for question in questions()]
    assert len({answer.text for answer in found}) > 1, "questions and pictures differ, and so do answers"
    half: list[Answer] = offline.answer(questions()[4:], picture)
    assert half == usual[4:], "what was asked before makes no difference"
    turned = [Question(one.id, one.image, questions()[0].prompt) for one in questions()]
    assert len({answer.text for answer in offline.answer(turned, picture)}) > 1, "the pictures are seen"
