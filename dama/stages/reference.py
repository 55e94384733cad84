"""Stage `reference`: log-probabilities of every answer under the starting model, once for all methods."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext, with_world
from dama.stages.model_folder import model_folder, model_key

log = logging.getLogger(__name__)


def _key(spec: RunSpec) -> Any:  # noqa: ANN401 - JSON
    train = spec.train
    return {
        "model": model_key(spec),
        "dtype": train.dtype,
        "max_length": train.max_length,
        "over_long": train.over_long,
        # who computes what with whom changes the last digits, and equal names must mean equal bytes
        "layout": [train.device, train.ranks, train.per_device_batch, train.attention, train.row_tokens],
    }


def _run(context: StageContext) -> Mapping[str, Any]:
    from dama.data.table import PreferenceTable
    from dama.model.encode import Encoder
    from dama.model.layout import choose_layout
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
        PreferenceTable(context.inputs["data"]), Encoder(loaded.processor, train.max_length, train.over_long)
    )
    layout = choose_layout(loaded.model.config, train.max_length, train.attention, train.row_tokens)
    if layout.reason and ranks.rank() == 0:
        log.warning("image and prompt are run once for each answer, not shared: %s", layout.reason)
    forward = Forward(loaded.processor.tokenizer.pad_token_id or 0, device, layout)
    model = AnswerLogps(loaded.model, layout)
    with progress("reference log-probabilities", len(dataset), shown=ranks.rank() == 0) as advance:
        reference = compute_reference(model, dataset, forward, train.per_device_batch, advance)
    if ranks.rank() == 0:
        write_reference(context.out, reference)
    ranks.stop()
    counts = {"preferences": len(reference.rows), "quarantined": len(reference.quarantined)}
    return {**counts, "cut": reference.cut}


STAGE = Stage(
    name="reference",
    version=2,
    reads=lambda spec: with_world(spec, "data", used=spec.model.kind == "miniature"),
    key=_key,
    run=_run,
    title="log-probabilities under the starting model",
    ranks=lambda spec: spec.train.ranks,
)
