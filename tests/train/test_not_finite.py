"""NaN and infinity stop a training at any layout, name preferences, and leave the last good checkpoint."""

from pathlib import Path
from typing import Any

import pytest
from trainings import Result, run_training, small_training

from dama.data.table import PreferenceTable
from dama.errors import DataError
from dama.model.encode import Encoder
from dama.model.load import load_model
from dama.train.dataset import Preferences

ONE = {"ranks": 2, "per_device": 8}
TWO = {"ranks": 2, "per_device": 2, "accumulation": 4}
"""Of 12 kept each rank learns from 6, two at a time; before that, its 8 go forward two at a time."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_training(tmp_path_factory.mktemp("training"))


def _run(folder: Path, out: Path, **more: Any) -> Result:
    return run_training(folder, out, steps=4, save_every_steps=2, **more)


def _stops(folder: Path, out: Path, message: str, poison: dict[str, Any], **layout: Any) -> None:
    """Poisoned in step 3: it says so, with ids, and nothing but the checkpoint of step 2 is left."""
    poisoned = _run(folder, out, poison=poison, **layout)
    assert poisoned.returncode != 0
    assert message in poisoned.log
    assert ", p" in poisoned.log.split(message)[1].splitlines()[0]
    assert not poisoned.metrics
    assert not poisoned.weights.exists()
    committed = sorted(path.parent.name for path in (out / "train").glob("checkpoints/*/commit.json"))
    assert committed == ["step-000002"]


GRADIENT, AFTER_TWO_STEPS = "and gradient", {"what": "gradient", "after": 2}


def test_an_infinite_gradient_stops_it(folder: Path) -> None:
    layout = {"ranks": 1, "per_device": 16, "passes": "one"}
    _stops(folder, folder / "alone", GRADIENT, AFTER_TWO_STEPS, **layout)


@pytest.mark.slow
@pytest.mark.parametrize("zero", [1, 2, 3])
def test_an_infinite_gradient_of_one_rank_stops_all(folder: Path, zero: int) -> None:
    _stops(folder, folder / f"zero-{zero}", GRADIENT, AFTER_TWO_STEPS, zero=zero, passes="one", **ONE)


@pytest.mark.slow
def test_what_is_left_leads_where_an_undisturbed_training_does(folder: Path) -> None:
    """Stopped by the second pass of step 3, and started again without the poison."""
    out, layout = folder / "second", {"zero": 3, **TWO}
    _stops(folder, out, GRADIENT, {"what": "gradient", "after": 2 * 3 + 1}, **layout)
    resumed, clean = _run(folder, out, **layout), _run(folder, folder / "clean", **layout)
    assert resumed.returncode == 0, resumed.log
    assert resumed.resumed_from == 2
    assert resumed.metrics == clean.metrics
    assert resumed.weights.read_bytes() == clean.weights.read_bytes()


@pytest.mark.slow
def test_features_that_are_no_number_stop_it_before_any_step(folder: Path) -> None:
    poison = {"what": "features", "after": 2 * (4 + 3) + 3}
    message = "step 3: the gap of 2 preferences is not finite"
    _stops(folder, folder / "features", message, poison, zero=2, **TWO)


def test_alpha_data_that_is_no_number_is_refused_before_the_first_step(folder: Path) -> None:
    table = PreferenceTable(folder / "data")
    alphas = dict.fromkeys(table.ids(), 1.0)
    encoder = Encoder(load_model(folder / "llava").processor, 64)
    assert Preferences(table, encoder, alpha_data=alphas).alphas() == [1.0] * 40
    with pytest.raises(DataError, match="alpha_data of 1 preferences is not finite \\(first: p7\\)"):
        Preferences(table, encoder, alpha_data={**alphas, "p7": float("nan")})
