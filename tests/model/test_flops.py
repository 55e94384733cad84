"""Useful operations of one preference: by hand, and as torch's own counter sees the same matrices."""

from __future__ import annotations

from typing import Any

import pytest
from test_shape import LLAVA_7B

from dama.model.flops import seen_pairs, useful_flops
from dama.model.shape import ModelShape, model_shape


@pytest.fixture(scope="module")
def shape() -> ModelShape:
    return model_shape(LLAVA_7B)


def test_pairs_are_those_of_the_mask() -> None:
    # prompt of 3 sees 1 + 2 + 3; two answers of 2 and 1 see the prompt and themselves
    assert seen_pairs(3, [2, 1]) == 6 + (2 * 3 + 3) + (3 + 1)
    assert seen_pairs(5, []) == 15
    # one answer behind a prompt is a plain causal row
    assert seen_pairs(4, [6]) == 10 * 11 // 2


def test_llava_7b_by_hand(shape: ModelShape) -> None:
    text_tokens, answers = 616 + 200, 200
    pairs = 616 * 617 // 2 + 2 * (100 * 616 + 100 * 101 // 2)
    layers = 32 * (2 * 202_375_168 * text_tokens + 4 * 4096 * pairs)
    # but for keys and values the last layer runs where it is read: the prompt's end, answers but their ends
    layers -= 2 * (2 * 4096 * 4096 + 3 * 4096 * 11008) * (text_tokens - 199)
    head = 2 * 32064 * 4096 * answers
    projector = 2 * 576 * (1024 * 4096 + 4096 * 4096)
    tower = 23 * (2 * 12 * 1024**2 * 577 + 4 * 1024 * 577**2) + 2 * 3 * 14**2 * 1024 * 576
    forward = layers + head + projector + tower
    assert useful_flops(shape, 616, [100, 100], learned=False) == forward
    assert useful_flops(shape, 616, [100, 100], learned=True) == forward + 2 * (forward - tower)
    assert useful_flops(shape, 616, [100, 100], learned=True, adapters=True) == forward + forward - tower
    # 2 · 6.48e9 weights · 816 tokens are 1.057e13; the tower, the head and attention bring the rest
    assert forward == pytest.approx(1.0973e13, rel=1e-3)


def test_sharing_is_cheaper_than_the_usual_layout(shape: ModelShape) -> None:
    shared = useful_flops(shape, 640, [100, 100], learned=True)
    apart = 2 * useful_flops(shape, 640, [100], learned=True)
    assert 1.6 < apart / shared < 2.0


def test_torch_counts_the_same(tmp_path: Any) -> None:
    """torch's counter sees products of whole squares in attention; without it the numbers are equal."""
    from llavas import random_llava

    from dama.model.load import load_model

    loaded = load_model(random_llava(tmp_path, width=64, layers=3))
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from dama.model.encode import Encoded
    from dama.model.logps import AnswerLogps
    from dama.model.rows import shared_rows

    shape = model_shape(loaded.model.config.to_dict())
    prompt = torch.cat([torch.full((4,), loaded.model.config.image_token_id), torch.arange(5, 14)])
    answers = {"chosen": torch.arange(5, 15), "rejected": torch.arange(5, 12)}
    rows = shared_rows([Encoded("x", prompt, {"pixel_values": torch.rand(1, 3, 28, 28)}, answers, 0)], 0)
    module = AnswerLogps(loaded.model)
    with FlopCounterMode(display=False) as counter:
        module(rows).sum().backward()
    counts = counter.get_flop_counts()["Global"]
    products = sum(count for op, count in counts.items() if "attention" not in str(op))

    sizes = [10, 7]
    text = shape.text
    attention = 12 * text.heads * text.head_width * text.layers * seen_pairs(13, sizes)
    tower = shape.tower
    tower_attention = 4 * tower.width * tower.tokens**2 * tower.used_layers
    useful = useful_flops(shape, 13, sizes, learned=True) - attention - tower_attention
    unread = 2 * (4 * tower.width**2 + 2 * tower.width * tower.feed_forward) * tower.tokens
    # the tower's last layer runs and is not read; the projector's features need no gradient
    no_gradient = 2 * shape.image_tokens * shape.projector_input * text.width
    assert products == useful + unread - no_gradient
