"""The run file's word on LoRA and on loggers: read, refused, and what of it names an artifact."""

from pathlib import Path

import pytest

from dama.demo.stage import STAGE as WORLD
from dama.errors import SpecError
from dama.spec.load import dump, parse
from dama.spec.run import RunSpec
from dama.stages.base import plan
from dama.stages.registry import STAGES


def _spec(*overrides: str) -> RunSpec:
    return parse("model: tiny\n", overrides, folder=Path("/somewhere"))


def _digests(*overrides: str) -> dict[str, str]:
    return {name: planned.digest for name, planned in plan(_spec(*overrides), (WORLD, *STAGES)).items()}


def test_no_adapters_unless_asked_for() -> None:
    assert _spec().train.lora is None


def test_one_number_set_leaves_the_other_defaults() -> None:
    lora = _spec("train.lora.rank=16").train.lora
    assert lora is not None
    assert (lora.rank, lora.alpha, lora.targets, lora.projector) == (16, 128, "text", "full")


def test_targets_are_text_or_names() -> None:
    lora = _spec("train.lora.targets=[q_proj, v_proj]").train.lora
    assert lora is not None
    assert lora.targets == ("q_proj", "v_proj")
    for wrong in ("vision", "[]", "['q_proj|.*']"):
        with pytest.raises(SpecError, match=r"train\.lora\.targets"):
            _spec(f"train.lora.targets={wrong}")


@pytest.mark.parametrize("wrong", ["rank=0", "alpha=0", "dropout=0.1", "projector=half"])
def test_what_cannot_be_is_refused_with_its_path(wrong: str) -> None:
    with pytest.raises(SpecError, match=rf"train\.lora\.{wrong.partition('=')[0]}"):
        _spec(f"train.lora.{wrong}")


def test_it_survives_writing_and_reading() -> None:
    spec = _spec("train.lora.targets=[q_proj]", "train.report_to=[tensorboard, mlflow]")
    assert parse(dump(spec), folder=Path("/somewhere")) == spec


def test_adapters_train_another_model_from_the_same_reference() -> None:
    plain, adapted = _digests(), _digests("train.lora.rank=16")
    assert plain["reference"] == adapted["reference"]
    assert plain["train"] != adapted["train"]


def test_loggers_have_no_say_in_what_is_trained() -> None:
    assert _spec().train.report_to == ("tensorboard",)
    assert _digests()["train"] == _digests("train.report_to=[wandb]")["train"]


def test_an_unknown_logger_is_refused() -> None:
    with pytest.raises(SpecError, match=r"train\.report_to\.0: 'comet'"):
        _spec("train.report_to=[comet]")
