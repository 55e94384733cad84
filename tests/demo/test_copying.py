"""The circuit that copying starts from, laid into a fresh model."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
import torch

from dama.demo.lessons import lessons
from dama.demo.splitter_tokens import splitter_tokenizer
from dama.demo.tiny_splitter import new_splitter

TOKENIZER = splitter_tokenizer(list(islice(lessons(0), 300)))


@pytest.fixture(scope="module")
def model() -> Any:
    made = new_splitter(TOKENIZER, seed=0)
    made.set_attn_implementation("eager")
    return made


def drawn(count: int, seed: int) -> list[int]:
    """Return so many different tokens, in no order."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randperm(len(TOKENIZER) - 3, generator=generator)[:count] + 3).tolist()


@torch.no_grad()
def test_three_heads_look_one_two_and_three_tokens_back_whatever_stands_there(model: Any) -> None:
    tokens = drawn(80, seed=0)
    looks = model.model(torch.tensor([tokens]), output_attentions=True).attentions[0][0]
    places = torch.arange(8, len(tokens))
    for head in range(3):
        assert looks[head, places, places - head - 1].min() > 0.9


@torch.no_grad()
@pytest.mark.parametrize("apart", [0, 9, 50])
def test_before_any_training_it_says_again_what_was_said_before(model: Any, apart: int) -> None:
    said, between = drawn(40, seed=1), drawn(apart, seed=2)
    tokens = [*said, *between, *said]
    output = model(torch.tensor([tokens]), output_attentions=True)
    again = torch.arange(4, len(said) - 1)  # the first few have other tokens before them
    second = output.attentions[1][0].mean(0)[again + len(said) + apart]
    assert (second.argmax(-1) == again + 1).float().mean() > 0.9
    next_ones = output.logits[0, again + len(said) + apart].argmax(-1)
    assert (next_ones == torch.tensor(said)[again + 1]).float().mean() > 0.9


def test_a_fresh_model_depends_on_its_seed_alone_and_leaves_the_callers_random_state(model: Any) -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    same, other = new_splitter(TOKENIZER, 0), new_splitter(TOKENIZER, 1)
    torch.testing.assert_close(torch.rand(3), wanted, rtol=0, atol=0)
    weights = [one.model.layers[1].self_attn.q_proj.weight for one in (model, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
