"""What to change when a run does not fit: every proposal fits, and is a run file that dama accepts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from runs import run

from dama.plan.device import GPUS, Gpu
from dama.plan.forecast import Asked, on_gpu
from dama.plan.proposals import proposals
from dama.plan.sizes import shape_of

SMALL = Gpu("small", 24 * 2**30, 100e12, 1e12, 100e9, 0.4)


@pytest.mark.parametrize(
    ("model", "overrides", "gpu"),
    [
        ("llava-7b", ("train.zero.stage=0",), GPUS["a100-80"]),
        ("llava-13b", ("train.zero.stage=2", "train.passes=one"), GPUS["h100"]),
        ("llava-13b", ("train.gradient_checkpointing=false", "train.passes=one"), GPUS["a100-80"]),
        ("llava-7b", (), SMALL),
    ],
)
def test_every_proposal_fits_when_it_is_pasted(model: str, overrides: tuple[str, ...], gpu: Gpu) -> None:
    spec = run(model, *overrides)
    shape = shape_of(spec.model)
    assert not on_gpu(spec, shape, gpu, Asked()).fits
    found = proposals(spec, shape, gpu, Asked())
    assert found
    for proposal in found:
        pasted = run(model, *overrides, *proposal.overrides)
        forecast = on_gpu(pasted, shape, gpu, Asked())
        assert forecast.fits
        assert forecast == proposal.forecast


def test_fewest_changes_come_first_and_then_the_fastest() -> None:
    spec = run("llava-13b", "train.zero.stage=0", "train.gradient_checkpointing=false")
    found = proposals(spec, shape_of(spec.model), GPUS["a100-80"], Asked())
    kinds = [proposal.why.count(",") for proposal in found]
    assert kinds == sorted(kinds)
    for kind in set(kinds):
        hours = [
            p.forecast.time.hours for p, k in zip(found, kinds, strict=True) if k == kind and p.forecast.time
        ]
        assert hours == sorted(hours)


def test_more_gpus_are_proposed_only_where_nothing_else_helps() -> None:
    spec = run("llava-13b", "cluster.gpus=4")
    shape = shape_of(spec.model)
    assert all("train.ranks" not in str(one.overrides) for one in proposals(spec, shape, SMALL, Asked()))
    smaller = replace(SMALL, memory=12 * 2**30)
    found = proposals(spec, shape, smaller, Asked())
    assert found
    for proposal in found:
        assert any(item.startswith("train.ranks=") for item in proposal.overrides)
        assert any(item.startswith("cluster.gpus=") for item in proposal.overrides)
        pasted = run("llava-13b", "cluster.gpus=4", *proposal.overrides)
        assert on_gpu(pasted, shape, smaller, Asked()).fits


def test_nothing_is_proposed_where_nothing_fits() -> None:
    spec = run("llava-13b")
    gpu = Gpu("none", 2**30, 100e12, 1e12, 100e9, 0.4)
    assert proposals(spec, shape_of(spec.model), gpu, Asked()) == []
