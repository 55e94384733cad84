"""Families that cannot share a prefix are told so, and get what the model itself would compute."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from families import cross_attending, sliding_llava
from llavas import random_llava
from PIL import Image

from dama.errors import ModelError
from dama.model.encode import Encoder
from dama.model.layout import choose_layout, why_not_shared
from dama.model.load import Loaded, load_model
from dama.model.logps import AnswerLogps
from dama.model.rows import concatenated_rows


def _plain(loaded: Loaded, prompt: str, answer: str, image: Any) -> float:
    """Return an answer's log-probability as the model gives it: its own inputs, nothing of ours."""
    processor = loaded.processor
    turns = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]
    text = processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    start = processor(text=[text], images=[image], return_tensors="pt")["input_ids"].shape[1]
    inputs = processor(text=[f"{text} {answer}</s>"], images=[image], return_tensors="pt")
    with torch.no_grad():
        logits = loaded.model(**inputs).logits[0]
    ids = inputs["input_ids"][0]
    return -float(torch.nn.functional.cross_entropy(logits[start - 1 : -1], ids[start:], reduction="sum"))


@pytest.mark.filterwarnings("ignore:`hidden_state` is deprecated:FutureWarning")  # transformers' own Mllama
@pytest.mark.parametrize("family", ["sliding", "crossing"])
def test_a_family_that_cannot_share_falls_back_to_its_own_masks(family: str, tmp_path: Path) -> None:
    loaded = sliding_llava(tmp_path, 6) if family == "sliding" else cross_attending(tmp_path)
    layout = choose_layout(loaded.model.config, 64)
    assert not layout.shared
    assert ("slides over a window of 6" if family == "sliding" else "cross-attention") in layout.reason
    encoder = Encoder(loaded.processor, 64)
    answers = [("a red star at left.", "a blue star"), ("a", "a green square at top. a red star.")]
    images = [Image.new("RGB", (28, 28), colour) for colour in ((200, 3, 3), (0, 90, 160))]
    batch = [
        encoder.encode(str(n), "what is in the image?", {"chosen": c, "rejected": r}, images[n])
        for n, (c, r) in enumerate(answers)
    ]
    found = AnswerLogps(loaded.model, layout)(concatenated_rows(batch, 0)).detach()
    for n, pair in enumerate(answers):
        for k, answer in enumerate(pair):
            plain = _plain(loaded, "what is in the image?", answer, images[n])
            assert float(found[n, k]) == pytest.approx(plain, abs=1e-4)


def test_a_window_wider_than_any_preference_is_no_window(tmp_path: Path) -> None:
    assert choose_layout(sliding_llava(tmp_path, 64).model.config, 64).shared


def test_llava_shares_as_asked(tmp_path: Path) -> None:
    config = load_model(random_llava(tmp_path)).model.config
    layout = choose_layout(config, 64, "flex", 128)
    assert (layout.shared, layout.attention, layout.row_tokens) == (True, "flex", 128)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ({"layer_types": ["full_attention", "sliding_attention"]}, "layers of sliding attention"),
        ({"rope_parameters": {"mrope_section": [1, 1, 2]}}, "three coordinates"),
        ({"model_type": "unheard_of"}, "'unheard_of' is not known"),
    ],
)
def test_what_is_not_known_to_share_does_not(text: dict[str, Any], said: str) -> None:
    inner = SimpleNamespace(**{"model_type": "llama", **text})
    reason = why_not_shared(SimpleNamespace(model_type="llava", get_text_config=lambda: inner), 64)
    assert reason is not None
    assert said in reason


def test_images_of_several_shapes_are_not_batched(tmp_path: Path) -> None:
    from dataclasses import replace

    loaded = load_model(random_llava(tmp_path))
    one = Encoder(loaded.processor, 64).encode(
        "x", "what?", {"chosen": "a", "rejected": "red"}, Image.new("RGB", (28, 28))
    )
    other = replace(one, images={"pixel_values": torch.zeros(1, 3, 42, 28)})
    with pytest.raises(ModelError, match="differ in shape from image to image"):
        concatenated_rows([one, other], 0)
