"""Where sizes come from: built in, a folder, the miniature world, the hub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dama.errors import ModelError
from dama.plan.sizes import shape_in, shape_of
from dama.spec.model import HubModel, LocalModel, MiniatureModel


def test_the_presets_models_are_built_in() -> None:
    assert shape_of(HubModel(id="llava-hf/llava-1.5-7b-hf")).parameters == 7_063_427_072
    assert shape_of(HubModel(id="llava-hf/llava-1.5-13b-hf")).parameters == 13_351_494_656


def test_a_folders_own_config_counts(tmp_path: Path) -> None:
    from llavas import random_llava

    from dama.model.load import load_model

    folder = random_llava(tmp_path / "llava")
    found = shape_of(LocalModel(path=str(folder)))
    assert found.parameters == sum(p.numel() for p in load_model(folder).model.parameters())
    assert shape_of(LocalModel(path=f"file://{folder}")) == found


@pytest.mark.parametrize("text", [None, "{", "[1]x"])
def test_a_folder_without_a_readable_config_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"config\.json cannot be read"):
        shape_of(LocalModel(path=str(tmp_path)))


def test_the_miniature_model_is_the_demos(small_world: Path) -> None:
    assert shape_of(MiniatureModel()) == shape_in(small_world / "llava")


def test_the_hub_out_of_reach_is_told() -> None:
    program = (
        "from dama.errors import ModelError\nfrom dama.plan.sizes import shape_of\n"
        "from dama.spec.model import HubModel\n"
        "try:\n    shape_of(HubModel(id='nobody/nothing'))\nexcept ModelError as error:\n    print(error)\n"
    )
    environ = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("config.json of nobody/nothing@main cannot be read from the hub")
