"""LoRA: adapters on the language model alone, exact at every layout, exported merged and apart."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from trainings import Result, assert_equal, run_training, small_training

from dama.errors import ModelError
from dama.model.encode import Encoder
from dama.model.load import Loaded, load_model
from dama.model.logps import AnswerLogps
from dama.model.rows import shared_rows
from dama.spec.lora import LoraSpec
from dama.train.lora import inject

STEPS = 4
LORA = {"rank": 4, "alpha": 8.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_training(tmp_path_factory.mktemp("lora"))


def _trained(folder: Path, out: Path, **layout: Any) -> Result:
    result = run_training(folder, out, steps=STEPS, lora=LORA, save_every_steps=2, **layout)
    assert result.returncode == 0, result.log
    return result


@pytest.fixture(scope="module")
def two_ranks(folder: Path) -> Result:
    return _trained(folder, folder / "two", ranks=2, per_device=8, zero=1)


def _logps(loaded: Loaded, model: Any = None) -> Tensor:
    """Return the log-probabilities that a model gives to two fixed preferences."""
    from PIL import Image

    encoder = Encoder(loaded.processor, 64)
    batch = [
        encoder.encode(
            str(n), "describe", {"chosen": chosen, "rejected": "a star"}, Image.new("RGB", (28, 28), n)
        )
        for n, chosen in enumerate(("a red circle at the left", "small"))
    ]
    with torch.no_grad():
        logps: Tensor = AnswerLogps(model or loaded.model)(shared_rows(batch, 0))
    return logps


def _trainable(model: torch.nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


@pytest.fixture
def loaded(folder: Path) -> Loaded:
    return load_model(folder / "llava")


def test_adapters_stand_on_every_linear_layer_of_the_language_model_and_nowhere_else(loaded: Loaded) -> None:
    linear = {
        name
        for name, module in loaded.model.named_modules()
        if isinstance(module, torch.nn.Linear) and "language_model" in name
    }
    inject(loaded.model, LoraSpec(projector="frozen"))
    wanted = {f"{name}.lora_{side}.default.weight" for name in linear for side in "AB"}
    assert len(linear) == 14
    assert _trainable(loaded.model) == wanted


def test_the_projector_is_trained_in_full_unless_frozen(loaded: Loaded) -> None:
    inject(loaded.model, LoraSpec())
    others = {name for name in _trainable(loaded.model) if "lora" not in name}
    assert len(others) == 4
    assert all(name.startswith("model.multi_modal_projector.") for name in others)


def test_named_targets_never_reach_the_vision_tower(loaded: Loaded) -> None:
    """CLIP has a q_proj of its own."""
    inject(loaded.model, LoraSpec(targets=("q_proj",), projector="frozen"))
    names = _trainable(loaded.model)
    assert len(names) == 2 * 2
    assert all("language_model" in name and "q_proj" in name for name in names)


@pytest.mark.parametrize("name", ["lm_head", "fc1", "w1"])
def test_a_target_that_is_no_layer_of_the_language_model_is_refused(loaded: Loaded, name: str) -> None:
    with pytest.raises(ModelError, match=f"is called {name}; wanted some of down_proj, gate_proj"):
        inject(loaded.model, LoraSpec(targets=("q_proj", name)))


def test_a_model_without_a_language_model_is_refused() -> None:
    with pytest.raises(ModelError, match="no linear layers below 'language_model'"):
        inject(torch.nn.Sequential(torch.nn.Linear(2, 2)), LoraSpec())


def test_training_starts_at_the_base_model(loaded: Loaded) -> None:
    before = _logps(loaded)
    inject(loaded.model, LoraSpec())
    assert torch.equal(_logps(loaded), before)


def test_an_adapter_is_what_it_says_by_hand() -> None:
    """W = [[1, 2]], A = [[3, 4]], B = [[5]], alpha/rank = 2: W + 2·5·[3, 4] = [[31, 42]]."""
    model = torch.nn.ModuleDict({"language_model": torch.nn.ModuleDict({"l": torch.nn.Linear(2, 1)})})
    adapters = inject(model, LoraSpec(rank=1, alpha=2.0, projector="frozen"))
    weights = {
        "language_model.l.base_layer.weight": torch.tensor([[1.0, 2.0]]),
        "language_model.l.base_layer.bias": torch.tensor([7.0]),
        "language_model.l.lora_A.default.weight": torch.tensor([[3.0, 4.0]]),
        "language_model.l.lora_B.default.weight": torch.tensor([[5.0]]),
        "head.weight": torch.tensor([1.0]),
    }
    merged = adapters.merged(weights)
    assert merged.keys() == {"language_model.l.weight", "language_model.l.bias", "head.weight"}
    assert merged["language_model.l.weight"].tolist() == [[31.0, 42.0]]
    assert merged["language_model.l.bias"].tolist() == [7.0]


def test_checkpointed_activations_give_the_same_gradients(folder: Path) -> None:
    """Frozen embeddings and a frozen projector: nothing that enters the layers has a gradient."""
    gradients = []
    for checkpointing in (False, True):
        loaded = load_model(folder / "llava")
        model = AnswerLogps(loaded.model, gradient_checkpointing=checkpointing).train()
        torch.manual_seed(0)
        inject(loaded.model, LoraSpec(rank=4, projector="frozen"))
        for name, parameter in loaded.model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        batch = [
            Encoder(loaded.processor, 64).encode(
                "p", "describe", {"chosen": "a red star", "rejected": "a"}, _grey()
            )
        ]
        model(shared_rows(batch, 0)).diff().sum().backward()
        gradients.append({n: p.grad for n, p in loaded.model.named_parameters() if p.requires_grad})
    plain, checkpointed = gradients
    assert len(plain) == 28
    for name, gradient in plain.items():
        assert gradient is not None
        assert gradient.abs().max() > 0, name
        torch.testing.assert_close(checkpointed[name], gradient, rtol=1e-5, atol=1e-6)


def _grey() -> Any:
    from PIL import Image

    return Image.new("RGB", (28, 28), 90)


def test_only_adapters_and_projector_move(folder: Path, two_ranks: Result) -> None:
    before, after = load_model(folder / "llava").model.state_dict(), load_file(two_ranks.weights)
    frozen = [name for name in after if "lora" not in name and "projector" not in name]
    for name in frozen:
        plain = name.removeprefix("llava.").replace(".base_layer", "")
        assert torch.equal(after[name], before[plain]), name
    moved = [name for name in after if name.endswith("lora_B.default.weight")]
    assert len(moved) == 14
    assert all(after[name].abs().max() > 0 for name in moved)
    projector = "model.multi_modal_projector.linear_1.weight"
    assert not torch.equal(after[f"llava.{projector}"], before[projector])


def test_checkpoints_hold_no_frozen_weight(two_ranks: Result) -> None:
    folder = two_ranks.weights.parent / "train" / "checkpoints" / "step-000004"
    (states,) = folder.glob("global_step*/mp_rank_00_model_states.pt")
    names = torch.load(states, weights_only=False)["module"].keys()  # our own file, DeepSpeed's enums in it
    parameters = {name for name in names if "position_ids" not in name and "inv_freq" not in name}
    assert {name for name in parameters if "lora" not in name and "projector" not in name} == set()
    assert len(parameters) == 28 + 4


def test_the_exported_model_and_the_adapter_give_the_trained_log_probabilities(
    folder: Path, two_ranks: Result
) -> None:
    from peft import PeftModel

    out = two_ranks.weights.parent
    base, injected = load_model(folder / "llava"), load_model(folder / "llava")
    inject(injected.model, LoraSpec(rank=4, alpha=8.0))
    weights = {name.removeprefix("llava."): weight for name, weight in load_file(two_ranks.weights).items()}
    injected.model.load_state_dict(weights, strict=True)
    trained = _logps(injected)
    assert (trained - _logps(base)).abs().max() > 0.01
    torch.testing.assert_close(_logps(load_model(out / "model")), trained, rtol=0, atol=1e-4)
    exported = load_file(out / "model" / "model.safetensors").keys()
    assert not any("lora" in name or "base_layer" in name for name in exported)
    peft = PeftModel.from_pretrained(base.model, out / "adapter")
    torch.testing.assert_close(_logps(base, peft.get_base_model()), trained, rtol=0, atol=1e-5)
    merged = peft.merge_and_unload()  # peft's own arithmetic, beside ours
    for name, weight in load_model(out / "model").model.named_parameters():
        torch.testing.assert_close(merged.get_parameter(name), weight, rtol=1e-6, atol=1e-6)


def test_the_adapter_says_what_it_belongs_to_and_nothing_of_this_machine(two_ranks: Result) -> None:
    text = (two_ranks.weights.parent / "adapter" / "adapter_config.json").read_text()
    config = json.loads(text)
    assert config["base_model_name_or_path"] is None
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (4, 8.0, 0.0)
    assert config["modules_to_save"] == ["multi_modal_projector"]
    assert "/tmp" not in text


QUICK = [{"ranks": 1, "per_device": 16, "zero": 0}]
SLOW = [
    {"ranks": 2, "per_device": 2, "accumulation": 4, "zero": 3, "gradient_checkpointing": True},
    {"ranks": 2, "per_device": 2, "accumulation": 4, "zero": 2},
    {"ranks": 4, "per_device": 4, "zero": 3},
]


@pytest.mark.parametrize(
    "layout", [*QUICK, *(pytest.param(layout, marks=pytest.mark.slow) for layout in SLOW)], ids=str
)
def test_every_layout_takes_the_same_steps(folder: Path, two_ranks: Result, layout: dict[str, Any]) -> None:
    assert_equal(_trained(folder, folder / "-".join(map(str, layout.values())), **layout), two_ranks)


@pytest.mark.slow
@pytest.mark.parametrize("zero", [0, 2, 3])
def test_a_killed_training_goes_on_to_the_bit(folder: Path, zero: int) -> None:
    layout: dict[str, Any] = {"ranks": 2, "per_device": 8, "zero": zero}
    whole = _trained(folder, folder / f"whole-{zero}", **layout)
    out = folder / f"killed-{zero}"
    killed = run_training(folder, out, steps=STEPS, lora=LORA, save_every_steps=2, kill_after=2, **layout)
    assert killed.returncode != 0
    resumed = _trained(folder, out, **layout)
    assert resumed.resumed_from == 2
    assert resumed.metrics == whole.metrics
    assert resumed.weights.read_bytes() == whole.weights.read_bytes()
    for part in ("model", "adapter"):
        for file in (out / part).iterdir():
            assert file.read_bytes() == (folder / f"whole-{zero}" / part / file.name).read_bytes(), file
