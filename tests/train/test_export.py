"""What is exported is a checkpoint like the published ones, whatever the model was loaded from."""

import json
from pathlib import Path

import pytest
import torch
from llavas import random_llava
from PIL import Image
from safetensors.torch import load_file, save_file

from dama.model.encode import Encoder
from dama.model.load import Loaded, load_model
from dama.model.logps import AnswerLogps
from dama.model.rows import shared_rows
from dama.train.export import export

PUBLISHED = {
    "language_model.lm_head.weight",
    "language_model.model.embed_tokens.weight",
    "language_model.model.layers.1.self_attn.q_proj.weight",
    "language_model.model.norm.weight",
    "multi_modal_projector.linear_1.bias",
    "vision_tower.vision_model.embeddings.class_embedding",
    "vision_tower.vision_model.encoder.layers.0.self_attn.k_proj.bias",
    "vision_tower.vision_model.post_layernorm.weight",
}


def _logps(loaded: Loaded) -> torch.Tensor:
    encoder = Encoder(loaded.processor, 64)
    answers = {"chosen": "a red star", "rejected": "a blue star at left."}
    encoded = encoder.encode("x", "what?", answers, Image.new("RGB", (28, 28), (200, 3, 3)))
    with torch.no_grad():
        found: torch.Tensor = AnswerLogps(loaded.model)(shared_rows([encoded], 0))
    return found


def _as_published(folder: Path) -> None:
    """Give the weights of `folder` the names of the published checkpoints."""
    file = folder / "model.safetensors"
    renamed = {
        name.replace("vision_tower.", "vision_tower.vision_model."): tensor
        for name, tensor in load_file(file).items()
    }
    save_file(renamed, file, metadata={"format": "pt"})


@pytest.mark.parametrize("known", [True, False], ids=["published", "made here"])
def test_an_exported_model_has_the_published_names_and_the_same_log_probabilities(
    tmp_path: Path, known: bool
) -> None:
    folder = random_llava(tmp_path / "base")
    if known:
        _as_published(folder)
    loaded = load_model(folder)
    state = {f"llava.{name}": tensor for name, tensor in loaded.model.state_dict().items()}
    export(loaded.model, loaded.processor, state, tmp_path / "out", "a card")
    names = set(load_file(tmp_path / "out" / "model.safetensors"))
    assert names > PUBLISHED
    assert {name.partition(".")[0] for name in names} == {
        "language_model",
        "multi_modal_projector",
        "vision_tower",
    }
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["architectures"], config["dtype"]) == (["LlavaForConditionalGeneration"], "float32")
    assert torch.equal(_logps(load_model(tmp_path / "out")), _logps(loaded))
    assert (tmp_path / "out" / "README.md").read_text() == "a card"
