"""Stage `train`: preferences, reference log-probabilities and alpha_data to an aligned model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dama.errors import RestartMe
from dama.spec.method import uses_alpha_data
from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext, with_world
from dama.stages.model_folder import model_folder, model_key
from dama.storage.commit import delete_artifact
from dama.storage.layout import checkpoints_prefix

_NOT_IN_KEY = {"save_every_steps", "save_every_minutes", "keep_last", "limit_minutes", "workers"}


def _reads(spec: RunSpec) -> tuple[str, ...]:
    alpha = ("alpha",) if uses_alpha_data(spec.method) else ()
    return with_world(spec, "data", *alpha, "reference", used=spec.model.kind == "miniature")


def _key(spec: RunSpec) -> Any:  # noqa: ANN401 - JSON
    return {
        "model": model_key(spec),
        "method": spec.method.model_dump(mode="json"),
        "train": spec.train.model_dump(mode="json", exclude=_NOT_IN_KEY),
    }


def _run(context: StageContext) -> Mapping[str, Any]:
    spec, train = context.spec, context.spec.train
    from dama.data.table import PreferenceTable
    from dama.hardness.cache import read_alpha
    from dama.model.encode import Encoder
    from dama.model.load import load_model
    from dama.stages.progress import progress
    from dama.train import ranks
    from dama.train.batches import Batches
    from dama.train.begin import begin
    from dama.train.checkpoint import Checkpoints
    from dama.train.dataset import Preferences
    from dama.train.deepspeed import cut_while_loading
    from dama.train.export import export, model_card
    from dama.train.forward import Forward
    from dama.train.reference import read_reference
    from dama.train.run import method_of
    from dama.train.run import train as run_training

    device = begin(train)
    with cut_while_loading(train):
        loaded = load_model(model_folder(context), device=str(device), dtype=train.dtype)
    dataset = Preferences(
        PreferenceTable(context.inputs["data"]),
        Encoder(loaded.processor, train.max_length),
        reference=read_reference(context.inputs["reference"]),
        alpha_data=read_alpha(context.inputs["alpha"]) if "alpha" in context.inputs else None,
    )
    steps = Batches(len(dataset), train.batch, train.seed).steps(train.epochs, train.max_steps)
    try:
        with progress(f"training, {spec.method.name}", steps, shown=ranks.rank() == 0) as advance:
            trained = run_training(
                loaded.model,
                dataset,
                Forward(loaded.processor.tokenizer.pad_token_id or 0, device),
                train,
                method_of(spec.method),
                Checkpoints(context.store, context.planned.prefix, train.keep_last, _of(context)),
                context.scratch,
                advance,
                context.stopping,
            )
    except RestartMe:
        ranks.stop()
        raise
    final = trained.history.metrics[-1]
    if trained.state is not None:
        trained.history.write_parts(context.out)
        card = model_card(
            base=_name_of_base(spec),
            data=f"{len(dataset)} preferences, digest {context.plan['data'].digest[:12]}",
            method=f"{spec.method.name} (beta {spec.method.beta})",
            run=context.planned.digest[:12],
            metrics=final,
        )
        export(loaded.model, loaded.processor, trained.state, context.out / "model", card)
    context.notes.update(resumed_from=trained.resumed_from)
    ranks.stop()
    return {"steps": trained.steps, "preferences": len(dataset), "final": final}


def _of(context: StageContext) -> dict[str, str]:
    """Return what a checkpoint must be of to be taken: model, dataset, training, by digest."""
    model = json.dumps(model_key(context.spec), sort_keys=True)
    return {
        "model": hashlib.sha256(model.encode()).hexdigest(),
        "dataset": context.plan["data"].digest,
        "training": context.planned.digest,
    }


def _name_of_base(spec: RunSpec) -> str:
    model = spec.model
    if model.kind == "hub":
        return f"{model.id}@{model.revision}"
    return (
        f"a local folder, digest {model.digest}" if model.kind == "local" else "the miniature world's LLaVA"
    )


STAGE = Stage(
    name="train",
    version=1,
    reads=_reads,
    key=_key,
    run=_run,
    title="preference optimisation",
    ranks=lambda spec: spec.train.ranks,
    goes_on=True,
    tidy=lambda store, prefix: delete_artifact(store, checkpoints_prefix(prefix)),
)
