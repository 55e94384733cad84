"""What a forward would keep for its backward, measured without keeping it."""

from pathlib import Path

import pytest
import torch
from llavas import random_llava
from PIL import Image

from dama.model.encode import Encoder
from dama.model.layout import Layout
from dama.model.load import load_model
from dama.model.logps import AnswerLogps
from dama.spec.train import TrainSpec, Zero
from dama.train.dataset import Item
from dama.train.forward import Forward
from dama.train.room import coming_moments, free_bytes, measure_room, saved_bytes

CPU = torch.device("cpu")


def _items(folder: Path) -> tuple[AnswerLogps, list[Item]]:
    loaded = load_model(random_llava(folder))
    encoder = Encoder(loaded.processor, 64)
    answers = {"chosen": "a red star at left.", "rejected": "a blue circle. a red star."}
    short = {"chosen": "a", "rejected": "red"}
    encoded = [
        encoder.encode(str(n), "what?", a, Image.new("RGB", (28, 28))) for n, a in enumerate((short, answers))
    ]
    return AnswerLogps(loaded.model), [Item(each, None, 1.0) for each in encoded]


def test_bytes_saved_are_those_that_autograd_holds(tmp_path: Path) -> None:
    """The reference holds every saved tensor, so that storages can simply be told apart and summed."""
    module, items = _items(tmp_path)
    forward = Forward(0, CPU, Layout())
    held: list[torch.Tensor] = []

    def hold(tensor: torch.Tensor) -> torch.Tensor:
        held.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(hold, lambda tensor: tensor):
        logps = forward.logps(module, items[1:])
    weights = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in held}
    wanted = sum(size for place, size in storages.items() if place not in weights)
    assert logps.requires_grad
    assert wanted > 0
    assert saved_bytes(module, forward, items[1]) == pytest.approx(wanted, rel=0.02)


def test_the_longest_preference_and_part_of_the_free_memory_count(tmp_path: Path) -> None:
    module, items = _items(tmp_path)
    forward = Forward(0, CPU, Layout())
    room = measure_room(module, forward, items, CPU)
    assert room.preference == saved_bytes(module, forward, items[1]) > saved_bytes(module, forward, items[0])
    assert 0 < room.free < free_bytes(CPU)


def test_what_the_first_step_will_take_is_not_free(tmp_path: Path) -> None:
    module, items = _items(tmp_path)
    forward = Forward(0, CPU, Layout())
    train = TrainSpec(batch=4, ranks=2, per_device_batch=2, device="cpu", dtype="float32", zero=Zero(stage=1))
    trained = sum(p.numel() for p in module.parameters() if p.requires_grad)
    assert coming_moments(module, train) == 8 * trained // 2
    assert coming_moments(module, train.model_copy(update={"zero": Zero(stage=0)})) == 8 * trained
    assert coming_moments(module, train.model_copy(update={"zero": Zero(stage=2, offload=True)})) == 0
    assert measure_room(module, forward, items, CPU, coming=2**62).free == 0
