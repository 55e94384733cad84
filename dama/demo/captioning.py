"""The tiny LLaVA learns to caption from the biased annotator, and captions scenes.

Its vision tower is frozen, so what it sees of each scene is computed once.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from dama.benchmarks.mentions import PROMPT, caption
from dama.demo.captions import biased
from dama.demo.scenes import Kind, Scene
from dama.demo.tiny_clip import cosine, normalised
from dama.demo.tiny_llava import IMAGE_TOKENS
from dama.demo.tokens import EOS, IMAGE, WORDS, llava_tokenizer

if TYPE_CHECKING:
    import numpy as np

_BATCH, _LEARNING_RATE, _WARM_UP = 64, 2e-3, 30
_LOOK_BATCH = 500
_SORTED = 4
"""Batches whose rows are sorted by length together."""
_IGNORED = -100
_WORTH_KEEPING = 0.7
"""Share of captions still open below which those that ended are dropped from the batch."""


@torch.no_grad()
def look(model: Any, pictures: np.ndarray) -> torch.Tensor:  # noqa: ANN401 - a transformers model
    """Return what the vision tower gives the projector of each picture: (picture, image token, width)."""
    seen = []
    for start in range(0, len(pictures), _LOOK_BATCH):
        pixels = normalised(pictures[start : start + _LOOK_BATCH])
        states = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states
        seen.append(states[model.config.vision_feature_layer][:, 1:])
    return torch.cat(seen)


def train_captions(
    model: Any,  # noqa: ANN401 - a transformers model
    scenes: Sequence[Scene],
    features: torch.Tensor,
    companions: dict[Kind, Kind],
    *,
    steps: int,
    seed: int,
    advance: Callable[[int], None],
) -> None:
    """Teach `model` the biased annotator's captions of `scenes`; `features` are theirs, from `look`."""
    rng = random.Random(f"captions/{seed}")
    prompt = prompt_tokens()
    answers = [answer_tokens(caption(biased(scene, companions, rng))) for scene in scenes]
    trained = [
        p
        for part in (model.model.multi_modal_projector, model.model.language_model, model.lm_head)
        for p in part.parameters()
    ]
    optimizer = torch.optim.AdamW(trained, lr=_LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine(step, steps, _WARM_UP))
    model.train()
    for rows in islice(_batches([len(answer) for answer in answers], rng), steps):
        answer_BT = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(answers[row]) for row in rows], batch_first=True, padding_value=_IGNORED
        )
        prefix_BPD = prompt_embeddings(model, prompt, features[rows])
        said_BTD = model.get_input_embeddings()(answer_BT[:, :-1].clamp(min=0))
        hidden_BLD = model.model.language_model(
            inputs_embeds=torch.cat([prefix_BPD, said_BTD], dim=1), use_cache=False
        ).last_hidden_state
        logits_BTV = model.lm_head(hidden_BLD[:, len(prompt) - 1 :])
        loss = functional.cross_entropy(logits_BTV.flatten(0, 1), answer_BT.flatten(), ignore_index=_IGNORED)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        advance(1)
    model.eval()


def _batches(lengths: Sequence[int], rng: random.Random) -> Iterator[list[int]]:
    """Yield batches of rows without end; rows of a batch are of like length, so that little is padding."""
    while True:
        order = rng.sample(range(len(lengths)), len(lengths))
        for start in range(0, len(order), _SORTED * _BATCH):
            near = sorted(order[start : start + _SORTED * _BATCH], key=lambda row: lengths[row])
            batches = [near[i : i + _BATCH] for i in range(0, len(near), _BATCH)]
            yield from rng.sample(batches, len(batches))


def prompt_tokens() -> list[int]:
    """Return the tokens of the demo's one prompt, image tokens included, as the processor writes them."""
    tokenizer = _tokenizer()
    content = [{"type": "image"}, {"type": "text", "text": PROMPT}]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    return list(tokenizer(text.replace(IMAGE, IMAGE * IMAGE_TOKENS)).input_ids)


def answer_tokens(text: str) -> list[int]:
    """Return the tokens of an answer, closed by the end token."""
    return [*_tokenizer()(text, add_special_tokens=False).input_ids, WORDS.index(EOS)]


def prompt_embeddings(model: Any, prompt: list[int], features: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
    """Return what the language model reads before an answer: (picture, prompt token, width)."""
    words = model.get_input_embeddings()(torch.tensor(prompt)).expand(len(features), -1, -1)
    first = prompt.index(WORDS.index(IMAGE))
    images = model.model.multi_modal_projector(features)
    return torch.cat([words[:, :first], images, words[:, first + IMAGE_TOKENS :]], dim=1)


@torch.no_grad()
def sample(
    model: Any,  # noqa: ANN401 - a transformers model
    features: torch.Tensor,
    *,
    temperature: float,
    max_new_tokens: int,
    generator: torch.Generator,
) -> list[str]:
    """Return one caption per row of `features`, drawn at `temperature` from `generator`."""
    from transformers import DynamicCache

    past, end = DynamicCache(config=model.config.text_config), WORDS.index(EOS)
    embeddings = prompt_embeddings(model, prompt_tokens(), features)
    said = torch.full((len(features), max_new_tokens), end)
    rows_B = torch.arange(len(features))
    open_B = torch.ones(len(features), dtype=torch.bool)
    for step in range(max_new_tokens):
        hidden = model.model.language_model(inputs_embeds=embeddings, past_key_values=past).last_hidden_state
        chances = (model.lm_head(hidden[:, -1]) / temperature).softmax(-1)
        token_B = torch.multinomial(chances, 1, generator=generator).squeeze(1)
        token_B = torch.where(open_B, token_B, end)
        said[rows_B, step] = token_B
        open_B = token_B != end
        if not open_B.any():
            break
        if open_B.float().mean() < _WORTH_KEEPING:
            past.batch_select_indices(open_B.nonzero().squeeze(1))
            rows_B, token_B, open_B = rows_B[open_B], token_B[open_B], open_B[open_B]
        embeddings = model.get_input_embeddings()(token_B)[:, None]
    return [str(text) for text in _tokenizer().batch_decode(said, skip_special_tokens=True)]


@cache
def _tokenizer() -> Any:  # noqa: ANN401 - transformers is untyped here
    return llava_tokenizer()
