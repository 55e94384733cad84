"""Reference log-probabilities: what is too long is left out and listed; what belongs elsewhere is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from trainings import small_training

from dama.data.table import PreferenceTable
from dama.errors import DataError
from dama.model.encode import Encoder
from dama.model.layout import Layout
from dama.model.load import Loaded, load_model
from dama.model.logps import AnswerLogps
from dama.train.dataset import Preferences
from dama.train.forward import Forward
from dama.train.reference import (
    Reference,
    compute_reference,
    read_quarantined,
    read_reference,
    write_reference,
)

COUNT = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_training(tmp_path_factory.mktemp("training"), COUNT)


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Loaded:
    return load_model(folder / "llava")


def _compute(folder: Path, loaded: Loaded, encoder: Encoder) -> Reference:
    dataset = Preferences(PreferenceTable(folder / "data"), encoder)
    forward = Forward(0, torch.device("cpu"), Layout())
    return compute_reference(AnswerLogps(loaded.model), dataset, forward, 4, lambda count: None)


def _limit(folder: Path, loaded: Loaded, rank: int) -> tuple[int, dict[str, int]]:
    """Return the tokens of the `rank`-th longest preference (prompt and longer answer), and those of all."""
    whole = Preferences(PreferenceTable(folder / "data"), Encoder(loaded.processor, 64))
    tokens = {}
    for index in range(COUNT):
        encoded = whole[index].encoded
        tokens[encoded.id] = len(encoded.prompt_ids_P) + max(len(ids) for ids in encoded.answers.values())
    return sorted(tokens.values(), reverse=True)[rank], tokens


def test_preferences_over_the_limit_are_quarantined_and_listed(
    folder: Path, loaded: Loaded, tmp_path: Path
) -> None:
    limit, tokens = _limit(folder, loaded, 3)
    over = {id for id, count in tokens.items() if count > limit}
    assert over
    found = _compute(folder, loaded, Encoder(loaded.processor, limit, "quarantine"))
    assert {row.id for row in found.quarantined} == over
    assert {row.id for row in found.rows} == tokens.keys() - over
    assert found.cut == 0
    assert all("tokens more than train.max_length" in row.reason for row in found.quarantined)
    write_reference(tmp_path, found)
    assert read_quarantined(tmp_path) == over
    trained_on = Preferences(
        PreferenceTable(folder / "data"),
        Encoder(loaded.processor, limit, "quarantine"),
        reference=read_reference(tmp_path),
        without=read_quarantined(tmp_path),
    )
    assert [trained_on[index].encoded.id for index in range(len(trained_on))] == [
        row.id for row in found.rows
    ]


def test_preferences_over_the_limit_are_cut_and_counted(folder: Path, loaded: Loaded) -> None:
    limit, tokens = _limit(folder, loaded, 3)
    found = _compute(folder, loaded, Encoder(loaded.processor, limit, "cut"))
    assert len(found.rows) == COUNT
    assert found.cut == sum(count > limit for count in tokens.values())


def test_a_limit_below_every_prompt_is_refused(folder: Path, loaded: Loaded) -> None:
    with pytest.raises(DataError, match="none of 12 preferences fits: preference p0: prompt and image take"):
        _compute(folder, loaded, Encoder(loaded.processor, 5))


@pytest.mark.parametrize("what", ["reference", "alpha_data"])
@pytest.mark.parametrize(("change", "said"), [("drop", "1 preferences are missing"), ("add", "belong to no")])
def test_an_artifact_of_another_dataset_is_refused(
    folder: Path, loaded: Loaded, what: str, change: str, said: str
) -> None:
    reference = read_reference(folder / "reference")
    alpha = dict.fromkeys(reference, 1.0)
    known: dict[str, Any] = dict(reference if what == "reference" else alpha)
    if change == "drop":
        del known["p3"]
    else:
        known["of another"] = known["p3"]
    with pytest.raises(DataError, match=said):
        Preferences(
            PreferenceTable(folder / "data"),
            Encoder(loaded.processor, 64),
            reference=known if what == "reference" else reference,
            alpha_data=known if what == "alpha_data" else alpha,
        )
