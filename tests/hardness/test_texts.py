"""Text towers run over as many positions as are read give what they give over their whole context."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from dama.hardness.clip import Clip, load_clip, new_clip
from dama.hardness.texts import TextTower, _batches

TEXT = {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
VISION = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
WORDS = [
    "a",
    "dog",
    "on",
    "the",
    "red",
    "sofa",
    "beside",
    "two",
    "lamps",
    "internationalisation",
    ",",
    ".",
    "🙂",
    "狗",
]


def clip(kind: str = "CLIP", tokenizer: str = "ViT-B-32", **text: Any) -> Clip:
    """Return a random model with open_clip's own tokenizer, at the context of TEXT."""
    import open_clip

    config = {"embed_dim": 16, "vision_cfg": VISION, "text_cfg": {**TEXT, **text}}
    if kind == "CoCa":
        config["multimodal_cfg"] = {"width": 32, "heads": 2, "layers": 1, "context_length": 24}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(open_clip, kind)(**config).eval().requires_grad_(False)
    tokens = open_clip.get_tokenizer(tokenizer, context_length=24)
    return Clip(model, lambda image: image, tokens, "cpu", "float32", {})


def sentences(count: int) -> list[str]:
    rng = random.Random(0)
    return [" ".join(rng.choices(WORDS, k=rng.randint(0, 12))) for _ in range(count)]


KINDS: dict[str, tuple[dict[str, Any], bool]] = {
    "OpenAI's": ({}, True),
    "end mark by its id": ({"pool_type": "eos", "eos_id": 49407}, True),
    "tower of its own": ({"kind": "CustomTextCLIP"}, True),
    "tower of its own, end mark by its id": (
        {"kind": "CustomTextCLIP", "pool_type": "eos", "eos_id": 49407, "proj_bias": True},
        True,
    ),
    "no mask": ({"kind": "CustomTextCLIP", "no_causal_mask": True}, False),
    "last position": ({"kind": "CustomTextCLIP", "pool_type": "last"}, False),
    "CoCa's class token": ({"kind": "CoCa", "embed_cls": True, "output_tokens": True}, False),
}


@pytest.mark.parametrize(("options", "shortens"), KINDS.values(), ids=KINDS)
def test_features_are_those_of_the_whole_context(options: dict[str, Any], shortens: bool) -> None:
    made = clip(**options)
    tower = TextTower(made)
    assert tower.shortens is shortens
    texts = list(dict.fromkeys(sentences(40)))
    found: dict[str, torch.Tensor] = {}
    for part, features_TE in tower.encode(texts, batch=3):
        found |= zip(part, features_TE, strict=True)
    assert set(found) == set(texts)
    with torch.inference_mode():
        whole = made.model.encode_text(made.tokenizer(texts))
    for text, feature in zip(texts, whole, strict=True):
        torch.testing.assert_close(found[text], feature, rtol=1e-5, atol=1e-5)


def test_texts_are_run_by_length_over_no_more_positions_than_they_need() -> None:
    made = clip()
    tower = TextTower(made)
    run: list[tuple[int, int]] = []
    encode = made.model.encode_text

    def watched(tokens: torch.Tensor) -> torch.Tensor:
        run.append((len(tokens), tokens.shape[1]))
        features: torch.Tensor = encode(tokens)
        return features

    made.model.encode_text = watched
    texts = ["a dog", "a", "a dog on the sofa", "the dog", *("red " * 30 for _ in range(1))]
    order = [text for part, _ in tower.encode(texts, batch=1) for text in part]
    assert order == ["a", "a dog", "the dog", "a dog on the sofa", "red " * 30]
    # tokens are words and two marks; 24 positions at a time hold 5 × 4, not 5 × 4 and one of 7
    assert run == [(3, 4), (1, 7), (1, 24)]


def test_the_model_is_as_it_was_after_a_short_run() -> None:
    made = clip()
    before = made.model.positional_embedding, made.model.attn_mask
    list(TextTower(made).encode(["a dog"], batch=4))
    assert (made.model.positional_embedding, made.model.attn_mask) == before


def test_nothing_to_encode_is_no_fault() -> None:
    assert list(TextTower(clip()).encode([], batch=4)) == []
    assert TextTower(clip()).counts([]) == []


def test_tokens_of_open_clips_own_tokenizer_are_counted() -> None:
    made = clip()
    texts = [text for text in sentences(30) if len(text.split()) < 6]
    row_TC = made.tokenizer(texts)
    assert TextTower(made).counts(texts) == [int(row.argmax()) + 1 for row in row_TC]
    assert TextTower(made).counts(["red " * 100]) == [102]


def test_a_tokenizer_that_frames_by_itself_is_counted_with_its_frame(tiny_clip: Path) -> None:
    """Mode `clips` keeps the last position for a class token and cuts three earlier than it reads."""
    import open_clip

    made = load_clip("local", str(tiny_clip), device="cpu")
    framed = open_clip.tokenizer.HFTokenizer(str(tiny_clip), context_length=10, tokenizer_mode="clips")
    tower = TextTower(Clip(made.model, made.transform, framed, "cpu", "float32", {}))
    assert tower.counts(["a red star", ""]) == [6, 3]


def test_a_mask_that_lets_later_positions_through_is_not_shortened() -> None:
    made = clip()
    made.model.attn_mask[3, 7] = 0.0
    assert not TextTower(made).shortens


def test_batches_hold_as_many_positions_as_asked() -> None:
    lengths = [2, 2, 3, 5, 5, 20]
    assert list(_batches(range(6), lengths, 10)) == [[0, 1, 2], [3, 4], [5]]
    assert list(_batches([], [], 10)) == []


def test_a_new_model_has_the_scale_it_was_given() -> None:
    made = new_clip({"embed_dim": 16, "vision_cfg": VISION, "text_cfg": TEXT}, 25.0)
    assert Clip(made, lambda image: image, None, "cpu", "float32", {}).scale == pytest.approx(25.0)
