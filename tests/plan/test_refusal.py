"""A training that cannot fit is refused before it starts; one that may fit never is."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from runs import run

from dama.errors import TrainingError
from dama.plan.device import GPUS
from dama.plan.refusal import refuse_if_too_large
from dama.plan.sizes import shape_of
from dama.stages.capacity import capacity, refuse_too_large


def test_what_cannot_fit_is_refused_with_what_would() -> None:
    spec = run("llava-7b", "train.zero.stage=0", "cluster.gpus=4")
    with pytest.raises(TrainingError, match=r"a rank needs 1\d\d\.\d GiB .*optimizer state 75\.5") as caught:
        refuse_if_too_large(spec, shape_of(spec.model), GPUS["a100-80"].memory)
    assert "--set train.zero.stage=" in caught.value.do


@pytest.mark.parametrize("model", ["llava-7b", "llava-13b"])
def test_what_fits_is_let_through(model: str) -> None:
    spec = run(model)
    refuse_if_too_large(spec, shape_of(spec.model), GPUS["a100-80"].memory)


def test_where_nothing_helps_more_gpus_are_asked_for() -> None:
    spec = run("llava-13b")
    with pytest.raises(TrainingError) as caught:
        refuse_if_too_large(spec, shape_of(spec.model), 2**30)
    assert caught.value.do == "train with more ranks or a smaller model"


def test_the_cpus_memory_counts_as_well() -> None:
    spec = run("tiny")
    refuse_if_too_large(spec, shape_of(spec.model), 2**30)
    with pytest.raises(TrainingError, match="a rank needs"):
        refuse_if_too_large(spec, shape_of(spec.model), 2**20)


def test_the_stage_reads_the_models_own_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llava", "text_config": {}}))
    spec = run("llava-7b", "train.zero.stage=0")
    with pytest.raises(TrainingError, match="a rank needs"):
        refuse_too_large(spec, tmp_path, 2**36)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mllama"}))
    with caplog.at_level(logging.WARNING):
        refuse_too_large(spec, tmp_path, 2**36)
    assert "whether the model fits is not known beforehand" in caplog.text


def test_a_rank_has_its_share_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    whole = capacity(torch.device("cpu"))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert capacity(torch.device("cpu")) == pytest.approx(whole / 4, rel=0.2)
