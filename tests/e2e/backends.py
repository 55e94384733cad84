"""The same training on two nodes, as a plain Job and as a TrainJob: one loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bed import FIRST, STEPS, Bed, copy_preprocessed, elsewhere, final, has

from dama.spec.load import laid_over

FLOAT32 = 2e-6
"""Losses near 0.7 that differ by less are equal to float32 rounding."""


@pytest.mark.parametrize("backend", ["two nodes", "job", "trainjob"])
def test_every_backend_ends_with_the_same_loss(bed: Bed, folder: Path, backend: str) -> None:
    if backend == "trainjob" and not has("trainer.kubeflow.org/v1alpha1"):
        pytest.skip("this cluster has no Kubeflow Trainer")
    name = backend.replace(" ", "-")
    cluster: dict[str, Any] = {"nodes": 2} if backend == "two nodes" else {"backend": backend}
    values = bed.values(
        folder, name=name, train={"max_steps": STEPS}, **laid_over(elsewhere(name), {"cluster": cluster})
    )
    with bed.bucket(f"{FIRST}-store") as store:
        copy_preprocessed(store, name, folder)
        bed.dama("submit", str(values))
    with bed.bucket(f"{FIRST}-store", "calm") as calm, bed.bucket(f"{FIRST}-store", name) as other:
        assert final(other, name)["loss"] == pytest.approx(final(calm, "calm")["loss"], abs=FLOAT32)
        assert other.size(f"runs/{name}/report/report.html")
    bed.dama("cancel", name)
