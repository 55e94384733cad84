"""Stage `alpha`: hardness δ and the data-aware factor α_D of every preference."""

from __future__ import annotations

from typing import Any

from dama.errors import HardnessError
from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext


def _key(spec: RunSpec) -> dict[str, Any] | None:
    if spec.hardness is None:
        return None
    return spec.hardness.model_dump(mode="json", include={"form", "aggregate"})


def _run(context: StageContext) -> dict[str, Any]:
    from dama.hardness.dataset import write_dataset_hardness
    from dama.hardness.summary import made_by

    spec = context.spec.hardness
    if spec is None:
        raise HardnessError("this run has no hardness", do="add a part `hardness` to the run file")
    facts, scores = context.inputs["facts"], context.inputs["scores"]
    told = made_by(context.metas)
    return write_dataset_hardness(facts, scores, context.out, spec.form, spec.aggregate, made_by=told)


STAGE = Stage(
    name="alpha",
    version=2,
    reads=lambda spec: ("scores", "facts"),
    key=_key,
    run=_run,
    title="hardness and alpha_data",
    wanted=lambda spec: spec.hardness is not None,
)
