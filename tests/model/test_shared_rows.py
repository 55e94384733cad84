"""The shared layout equals the usual concatenated one, in log-probabilities and in gradients."""

from pathlib import Path

import pytest
import torch
from llavas import random_llava
from PIL import Image

from dama.errors import DataError
from dama.model.encode import Encoded, Encoder
from dama.model.load import Loaded, load_model
from dama.model.logps import AnswerLogps, token_logps
from dama.model.rows import concatenated_rows, shared_rows

ANSWERS = [
    ("a red star at left.", "a big blue star at the right. a red circle."),
    ("a", "a green square at top. a red star at the bottom left."),
    ("a small green circle. a big red square. a red star.", "red"),
]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load_model(random_llava(tmp_path_factory.mktemp("llava")))


def _encoded(loaded: Loaded, max_length: int = 64) -> list[Encoded]:
    encoder = Encoder(loaded.processor, max_length)
    colours = [(200, 3, 3), (0, 90, 160), (30, 200, 60)]
    return [
        encoder.encode(
            str(n), "what is in the image?", {"chosen": c, "rejected": r}, Image.new("RGB", (28, 28), colour)
        )
        for n, ((c, r), colour) in enumerate(zip(ANSWERS, colours, strict=True))
    ]


def _gradients(module: AnswerLogps, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    module.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("checkpointing", [False, True])
def test_shared_rows_equal_concatenated_rows(loaded: Loaded, checkpointing: bool) -> None:
    module = AnswerLogps(loaded.model, gradient_checkpointing=checkpointing).train()
    batch = _encoded(loaded)
    weights = torch.tensor([[1.0, -1.0], [0.5, -0.2], [0.3, 2.0]])
    shared, apart = module(shared_rows(batch, 0)), module(concatenated_rows(batch, 0))
    assert torch.allclose(shared, apart, atol=1e-4, rtol=0)
    ours = _gradients(module, (module(shared_rows(batch, 0)) * weights).sum())
    usual = _gradients(module, (module(concatenated_rows(batch, 0)) * weights).sum())
    assert ours.keys() == usual.keys()
    for name, gradient in usual.items():
        assert (
            torch.linalg.vector_norm(ours[name] - gradient)
            <= 1e-5 * torch.linalg.vector_norm(gradient) + 1e-7
        ), name
    loaded.model.gradient_checkpointing_disable()


def test_logps_equal_those_of_the_model_run_plainly(loaded: Loaded) -> None:
    """The independent reference: the processor's own text+image batch, and cross-entropy over its logits."""
    module = AnswerLogps(loaded.model)
    batch = _encoded(loaded)
    ours = module(shared_rows(batch, 0)).detach()
    for n, encoded in enumerate(batch):
        for k, answer in enumerate(encoded.answers.values()):
            ids = torch.cat([encoded.prompt_ids_P, answer])[None]
            with torch.no_grad():
                logits = loaded.model(input_ids=ids, pixel_values=encoded.images["pixel_values"]).logits[0]
            start = len(encoded.prompt_ids_P)
            loss = torch.nn.functional.cross_entropy(logits[start - 1 : -1], answer, reduction="sum")
            assert float(ours[n, k]) == pytest.approx(-float(loss), abs=1e-4)


def test_what_stands_beside_a_preference_does_not_change_it(loaded: Loaded) -> None:
    module = AnswerLogps(loaded.model)
    batch = _encoded(loaded)
    together = module(shared_rows(batch, 0))
    alone = torch.cat([module(shared_rows([one], 0)) for one in batch])
    assert torch.allclose(together, alone, atol=1e-4)


def test_the_image_matters(loaded: Loaded) -> None:
    module = AnswerLogps(loaded.model)
    encoder = Encoder(loaded.processor, 64)
    answers = {"chosen": "a red star", "rejected": "a blue star"}
    dark, light = (
        encoder.encode("x", "what?", answers, Image.new("RGB", (28, 28), colour))
        for colour in ("black", "white")
    )
    assert not torch.allclose(module(shared_rows([dark], 0)), module(shared_rows([light], 0)))


def test_only_the_vision_tower_is_frozen(loaded: Loaded) -> None:
    module = AnswerLogps(loaded.model)
    frozen = {name for name, parameter in module.named_parameters() if not parameter.requires_grad}
    assert frozen
    assert all("vision_tower" in name for name in frozen)
    assert not any(
        "vision_tower" in name for name, parameter in module.named_parameters() if parameter.requires_grad
    )


def test_logits_in_chunks_equal_logits_at_once() -> None:
    head = torch.nn.Linear(8, 50, bias=False)
    hidden, targets = torch.randn(33, 8, requires_grad=True), torch.randint(0, 50, (33,))
    whole = token_logps(head, hidden, targets)
    (at_once,) = torch.autograd.grad(whole.sum(), hidden)
    pieces = token_logps(head, hidden, targets, budget=4 * 50 * 5)
    (chunked,) = torch.autograd.grad(pieces.sum(), hidden)
    assert torch.allclose(whole, pieces)
    assert torch.allclose(at_once, chunked)


def test_image_tokens_are_never_cut_and_long_answers_are_counted(loaded: Loaded) -> None:
    whole = _encoded(loaded)[0]
    room = len(whole.prompt_ids_P) + 3
    cut = _encoded(loaded, max_length=room)[0]
    assert cut.prompt_ids_P.equal(whole.prompt_ids_P)
    assert [len(ids) for ids in cut.answers.values()] == [3, 3]
    assert cut.cut == sum(len(ids) - 3 for ids in whole.answers.values())
    with pytest.raises(DataError, match="preference 0: prompt and image take"):
        _encoded(loaded, max_length=len(whole.prompt_ids_P))


def test_every_answer_ends_with_the_end_of_text(loaded: Loaded) -> None:
    end = loaded.processor.tokenizer.eos_token_id
    for encoded in _encoded(loaded):
        assert all(int(ids[-1]) == end for ids in encoded.answers.values())


def test_a_prompt_has_its_image_tokens(loaded: Loaded) -> None:
    image = loaded.model.config.image_token_id
    assert int((_encoded(loaded)[0].prompt_ids_P == image).sum()) == 4


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "processor_config.json"])
def test_a_folder_without_its_files_is_refused(tmp_path: Path, missing: str) -> None:
    from dama.errors import ModelError

    folder = random_llava(tmp_path / "llava")
    (folder / missing).unlink()
    with pytest.raises(ModelError):
        load_model(folder)


def test_weights_that_would_stay_random_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from dama.errors import ModelError

    folder = random_llava(tmp_path / "llava")
    weights = load_file(folder / "model.safetensors")
    del weights[next(name for name in weights if "layers.1" in name)]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="lacks 1 of the model's weights"):
        load_model(folder)
