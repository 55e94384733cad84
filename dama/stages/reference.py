"""Stage `reference`: log-probabilities of every answer under the starting model, once for all methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext, with_world
from dama.stages.model_folder import model_folder, model_key


def _key(spec: RunSpec) -> Any:  # noqa: ANN401 - JSON
    train = spec.train
    return {
        "model": model_key(spec),
        "dtype": train.dtype,
        "max_length": train.max_length,
        # who computes what with whom changes the last digits, and equal names must mean equal bytes
        "layout": [train.device, train.ranks, train.per_device_batch],
    }


def _run(context: StageContext) -> Mapping[str, Any]:
    from dama.data.table import PreferenceTable
    from dama.model.encode import Encoder
    from dama.model.load import load_model
    from dama.model.logps import AnswerLogps
    from dama.stages.progress import progress
    from dama.train import ranks
    from dama.train.begin import begin
    from dama.train.dataset import Preferences
    from dama.train.forward import Forward
    from dama.train.reference import compute_reference, write_reference

    train = context.spec.train
    device = begin(train)
    loaded = load_model(model_folder(context), device=str(device), dtype=train.dtype)
    dataset = Preferences(
        PreferenceTable(context.inputs["data"]), Encoder(loaded.processor, train.max_length)
    )
    forward = Forward(loaded.processor.tokenizer.pad_token_id or 0, device)
    with progress("reference log-probabilities", len(dataset), shown=ranks.rank() == 0) as advance:
        rows = compute_reference(AnswerLogps(loaded.model), dataset, forward, train.per_device_batch, advance)
    if ranks.rank() == 0:
        write_reference(context.out, rows)
    ranks.stop()
    return {"preferences": len(rows)}


STAGE = Stage(
    name="reference",
    version=1,
    reads=lambda spec: with_world(spec, "data", used=spec.model.kind == "miniature"),
    key=_key,
    run=_run,
    title="log-probabilities under the starting model",
    ranks=lambda spec: spec.train.ranks,
)
