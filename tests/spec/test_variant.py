"""Runs with another model or fewer benchmarks, under names of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from dama.errors import SpecError
from dama.spec.load import parse
from dama.spec.model import HubModel, LocalModel
from dama.spec.run import RunSpec
from dama.spec.variant import model_at, with_benchmarks, with_model


def a_run(*overrides: str) -> RunSpec:
    return parse("model: tiny\nname: a-run", overrides, folder=Path("/"))


TWO = "evaluate.benchmarks=[{kind: miniature}, {kind: amber, data: /amber}]"


def test_fewer_benchmarks_are_another_run_and_all_of_them_the_same() -> None:
    spec = a_run(TWO)
    assert with_benchmarks(spec, []) == spec
    assert with_benchmarks(spec, ["amber", "miniature"]) == spec
    fewer = with_benchmarks(spec, ["amber"])
    assert [one.kind for one in fewer.evaluate.benchmarks] == ["amber"]
    assert fewer.name.startswith("a-run-")
    assert fewer == with_benchmarks(spec, ["amber"])
    assert fewer.model_copy(update={"name": "a-run", "evaluate": spec.evaluate}) == spec


def test_a_benchmark_that_the_run_has_not_and_a_run_without_any_are_told() -> None:
    with pytest.raises(SpecError, match=r"--benchmark: 'mmhal'; wanted one of .*: miniature, amber"):
        with_benchmarks(a_run(TWO), ["amber", "mmhal"])
    with pytest.raises(SpecError, match=r"evaluate\.benchmarks: nothing is measured"):
        with_benchmarks(a_run("evaluate.benchmarks=[]"), [])


def test_another_model_is_another_run_whose_name_still_fits() -> None:
    spec = a_run("name=" + "n" * 40)
    other = with_model(spec, HubModel(id="owner/name"))
    assert (len(other.name), other.model) == (40, HubModel(id="owner/name"))
    assert other.name != with_model(spec, HubModel(id="owner/other")).name


def test_a_place_is_a_folder_or_a_model_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert model_at("owner/name") == HubModel(id="owner/name")
    assert model_at("hf://owner/name@v1.5") == HubModel(id="owner/name", revision="v1.5")
    assert model_at(str(tmp_path)) == LocalModel(path=str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert model_at("owner/name") == LocalModel(path=str(tmp_path / "owner" / "name"))
    assert model_at("./none") == LocalModel(path=str(tmp_path / "none"))
    with pytest.raises(SpecError, match="--model: 'nothing'; wanted a folder, or OWNER/NAME"):
        model_at("nothing")
