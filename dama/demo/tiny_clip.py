"""A tiny CLIP, trained on the spot as an open_clip model and saved as one of its local folders.

Half of the texts it learns state one fact, half two: single facts are what it has to score, two tell pictures
apart within a batch.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from dama.benchmarks.mentions import caption
from dama.demo.captions import true_facts
from dama.demo.painting import CELL_PIXELS, PIXELS
from dama.demo.scenes import Scene
from dama.demo.tokens import EOS, PAD, WORDS, clip_tokenizer
from dama.hardness.clip import new_clip

if TYPE_CHECKING:
    import numpy as np

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of CLIP's own pictures, so that every part of the pipeline can use its usual transforms."""
WIDTH, LAYERS, HEAD_WIDTH, EMBED = 96, 3, 32, 64
CONFIG: dict[str, Any] = {
    "embed_dim": EMBED,
    "vision_cfg": {
        "image_size": PIXELS,
        "patch_size": CELL_PIXELS,
        "width": WIDTH,
        "layers": LAYERS,
        "head_width": HEAD_WIDTH,
        "pool_type": "avg",  # a picture is the sum of its things; learned twice as fast as from a class token
    },
    "text_cfg": {
        "context_length": 24,
        "vocab_size": len(WORDS),
        "width": 64,
        "heads": 4,
        "layers": 1,
        "pool_type": "eos",
        "pad_id": WORDS.index(PAD),
        "eos_id": WORDS.index(EOS),
        "hf_tokenizer_name": "words",
    },
}
_BATCH, _LEARNING_RATE, _WARM_UP, _FIRST_SCALE = 128, 1.5e-3, 30, 10.0


def train_clip(
    scenes: Sequence[Scene], pictures: np.ndarray, *, steps: int, seed: int, advance: Callable[[int], None]
) -> Any:  # noqa: ANN401 - an open_clip model
    """Return a CLIP that tells which facts are true of which picture.

    `pictures`: bytes, shape (scene, 72, 72, 3), one per scene. `advance` is called with 1 after every step.
    """
    tokenizer = clip_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = new_clip(CONFIG, _FIRST_SCALE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine(step, steps, _WARM_UP))
    model.train()
    for rows, texts in _batches(scenes, steps, random.Random(f"clip/{seed}")):
        tokens = _tokens(tokenizer, texts)
        image_BD, text_BD, scale = model(normalised(pictures[rows]), tokens)
        logits_BB = scale * image_BD @ text_BD.T
        labels_B = torch.arange(len(rows))
        loss = (
            functional.cross_entropy(logits_BB, labels_B) + functional.cross_entropy(logits_BB.T, labels_B)
        ) / 2
        optimizer.zero_grad()
        torch.autograd.backward(loss / 2)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        advance(1)
    return model.eval()


def save_clip(model: Any, folder: Path) -> None:  # noqa: ANN401 - an open_clip model
    """Write `model` to `folder` so that open_clip loads it as `local-dir:FOLDER`, tokenizer included."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    preprocess = {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "shortest"}
    config = {"model_cfg": CONFIG, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n")
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors", metadata={"format": "pt"})
    clip_tokenizer().save_pretrained(folder)


def normalised(pictures: np.ndarray) -> torch.Tensor:
    """Return pictures (n, row, column, channel) of bytes as CLIP's input (n, channel, row, column)."""
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(255)
    return pixels.sub_(torch.tensor(MEAN)[:, None, None]).div_(torch.tensor(STD)[:, None, None])


def cosine(step: int, steps: int, warm_up: int) -> float:
    """Return the share of the peak learning rate at `step`: a short rise, then half a cosine down to 0."""
    rise = min(1.0, (step + 1) / warm_up)
    return rise * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))


def _batches(
    scenes: Sequence[Scene], steps: int, rng: random.Random
) -> Iterator[tuple[list[int], list[str]]]:
    """Yield scene numbers and a true text for each; every other text states one fact, the rest two."""
    order: list[int] = []
    for _ in range(steps):
        while len(order) < _BATCH:
            order += rng.sample(range(len(scenes)), len(scenes))
        rows, order = order[:_BATCH], order[_BATCH:]
        yield rows, [caption(true_facts(scenes[row], 1 + i % 2, rng)) for i, row in enumerate(rows)]


def _tokens(tokenizer: Any, texts: list[str]) -> torch.Tensor:  # noqa: ANN401 - transformers is untyped here
    length = CONFIG["text_cfg"]["context_length"]
    tokens: torch.Tensor = tokenizer(
        texts, padding="max_length", max_length=length, return_tensors="pt"
    ).input_ids
    return tokens
