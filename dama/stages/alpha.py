"""Stage `alpha`: hardness δ and the data-aware factor α_D of every preference."""

from __future__ import annotations

from typing import Any

from dama.errors import HardnessError
from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext
from dama.stages.inputs import texts_only


def _key(spec: RunSpec) -> dict[str, Any] | None:
    if spec.hardness is None:
        return None
    return spec.hardness.model_dump(mode="json", include={"form", "aggregate"})


def _run(context: StageContext) -> dict[str, Any]:
    from dama.data.table import PreferenceTable
    from dama.hardness.dataset import write_dataset_hardness
    from dama.hardness.sharded import ShardedScores
    from dama.hardness.summary import made_by
    from dama.stages.progress import progress

    spec = context.spec.hardness
    if spec is None:
        raise HardnessError("this run has no hardness", do="add a part `hardness` to the run file")
    preferences = PreferenceTable(context.inputs["data"])
    scores = ShardedScores(
        preferences.ids(), preferences.shards(), context.inputs["facts"], context.inputs["scores"]
    )
    told = made_by(context.metas)
    with progress("hardness of preferences", len(preferences)) as advance:
        return write_dataset_hardness(
            scores, context.out, spec.form, spec.aggregate, made_by=told, advance=advance
        )


STAGE = Stage(
    name="alpha",
    version=2,
    reads=lambda spec: ("data", "scores", "facts"),
    key=_key,
    run=_run,
    title="hardness and alpha_data",
    wanted=lambda spec: spec.hardness is not None,
    part=texts_only,
)
