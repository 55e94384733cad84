from __future__ import annotations

from typing import Any

import pytest
from synthetic_run import spec_of

from dama.report.describe import described_data, described_method, described_model, versions

COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"kind": "hub", "id": "owner/name", "revision": COMMIT}, "owner/name @ 01234567"),
        ({"kind": "hub", "id": "owner/name", "revision": "main"}, "owner/name @ main"),
        ({"kind": "local", "path": "deep/in/here/llava"}, "llava"),
        ({"kind": "miniature"}, "tiny LLaVA of the miniature world"),
    ],
)
def test_models_are_named_without_their_place(model: dict[str, Any], said: str) -> None:
    assert described_model(spec_of(model=model, **WRITTEN)) == said


WRITTEN: dict[str, Any] = {
    "world": {},
    "train": {"device": "cpu", "dtype": "float32"},
    "data": {"kind": "miniature"},
}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"kind": "miniature"}, "preferences sampled from the tiny LLaVA"),
        ({"kind": "jsonl", "uri": "some/where/rows.jsonl", "limit": 9}, "rows.jsonl (jsonl), first 9 rows"),
        ({"kind": "rlaif-v", "uri": "s3://bucket/rows"}, "s3://bucket/rows (rlaif-v)"),
    ],
)
def test_data_is_named_without_its_local_place(data: dict[str, Any], said: str) -> None:
    assert described_data(spec_of(data=data)) == said


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ({"name": "dpo"}, "β = 0.1"),
        ({"name": "d2po", "beta": 0.2}, "β = 0.2 · β_D = β·α_D"),
        ({"name": "mdpo", "filter": "none"}, "β = 0.1 · keeps all · γ = 0.9 · paper reading"),
        (
            {"name": "dama", "reading": "release", "combine": {"kind": "weighted_sum", "rho": 0.25}},
            "β = 0.1 · keeps 12 of 16 (nearest R̄) · γ = 0.9 · β_C = β·((1−ρ)·α_M + ρ·α_D), ρ = 0.25 "
            "· release reading",
        ),
    ],
)
def test_methods_say_what_a_reader_of_the_figures_needs(method: dict[str, Any], said: str) -> None:
    assert described_method(spec_of(method=method, name="run")) == said


def test_versions_name_what_decides_the_numbers() -> None:
    assert {"python", "dama", "matplotlib"} <= set(versions())
