"""The tiny splitter learns to split: lessons in, the next token of every reply to be said."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from torch.nn import functional

from dama.demo.lessons import Lesson, lessons
from dama.demo.splitter_tokens import asked_tokens, reply_tokens, splitter_tokenizer
from dama.demo.tiny_clip import cosine
from dama.demo.tiny_splitter import new_splitter
from dama.errors import TrainingError

_BATCH, _LEARNING_RATE, _WARM_UP = 32, 2e-3, 20
_SORTED = 8
"""Batches whose rows are sorted by length together, so that little is padding."""
_READ = 2000
"""Lessons that the pieces of the vocabulary are learned from."""
_IGNORED = -100


def train_splitter(*, steps: int, seed: int, advance: Callable[[int], None]) -> tuple[Any, Any, float]:
    """Return a trained model, its tokenizer, and the loss over the last tenth of the steps.

    `advance` is called with 1 after every step. Same steps, seed and threads, same weights. TrainingError
    when it learned nothing that is a number.
    """
    tokenizer = splitter_tokenizer(list(islice(lessons(seed), _READ)))
    model = new_splitter(tokenizer, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine(step, steps, _WARM_UP))
    losses = []
    model.train()
    for batch in islice(_batches(tokenizer, seed), steps):
        loss = reply_loss(model, batch, pad=tokenizer.pad_token_id)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        advance(1)
    return model.eval(), tokenizer, last_loss(losses)


def last_loss(losses: Sequence[float]) -> float:
    """Return the mean over the last tenth of the steps; TrainingError when it is no number."""
    last = losses[-max(1, len(losses) // 10) :]
    mean = sum(last) / len(last)
    if not math.isfinite(mean):
        raise TrainingError(
            f"the tiny splitter's loss is {mean} after {len(losses)} steps", do="change world.splitter_steps"
        )
    return mean


Written = tuple[list[int], list[int]]
"""A lesson in tokens: what is asked, what is to be replied."""


def written(tokenizer: Any, lesson: Lesson) -> Written:  # noqa: ANN401 - transformers is untyped here
    """Return a lesson in tokens."""
    return asked_tokens(tokenizer, lesson), reply_tokens(tokenizer, lesson)


def reply_loss(model: Any, batch: list[Written], *, pad: int) -> torch.Tensor:  # noqa: ANN401
    """Return the mean cross-entropy of the replies' tokens, in nats; what is asked is not learned."""
    tokens_BT = _padded([asked + reply for asked, reply in batch], pad)
    wanted_BT = _padded([[_IGNORED] * len(asked) + reply for asked, reply in batch], _IGNORED)[:, 1:]
    # Padding stands behind what is learned and is hidden by the causal mask.
    hidden_BTW = model.model(tokens_BT[:, :-1], use_cache=False).last_hidden_state
    learned_BT = wanted_BT != _IGNORED
    return functional.cross_entropy(model.lm_head(hidden_BTW[learned_BT]), wanted_BT[learned_BT])


def _batches(tokenizer: Any, seed: int) -> Iterator[list[Written]]:  # noqa: ANN401
    """Yield batches of lessons without end; rows of a batch are of like length."""
    endless, rng = lessons(seed), random.Random(f"splitting/{seed}")
    while True:
        near = [written(tokenizer, lesson) for lesson in islice(endless, _SORTED * _BATCH)]
        near.sort(key=lambda row: len(row[0]) + len(row[1]))
        batches = [near[start : start + _BATCH] for start in range(0, len(near), _BATCH)]
        yield from rng.sample(batches, len(batches))


def _padded(rows: list[list[int]], value: int) -> torch.Tensor:
    tensors = [torch.tensor(row) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=value)
