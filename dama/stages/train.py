"""Stage `train`: preferences, reference log-probabilities and alpha_data to an aligned model."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from dama.errors import RestartMe
from dama.report.runfile import shown_parts
from dama.spec.method import uses_alpha_data
from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext, with_world
from dama.stages.capacity import capacity, refuse_too_large
from dama.stages.logger_packages import require_loggers
from dama.stages.model_folder import model_folder, model_key
from dama.storage.commit import delete_artifact
from dama.storage.layout import CURVES, checkpoints_prefix, run_prefix

_NOT_IN_KEY = {
    "save_every_steps",
    "save_every_minutes",
    "keep_last",
    "limit_minutes",
    "workers",
    "report_to",
}


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
    from dama.model.compiler import require_compiler
    from dama.model.encode import Encoder
    from dama.model.layout import choose_layout
    from dama.model.load import load_model
    from dama.stages.progress import progress
    from dama.train import ranks
    from dama.train.batches import Batches
    from dama.train.begin import begin
    from dama.train.checkpoint import Checkpoints
    from dama.train.dataset import Preferences
    from dama.train.deepspeed import cut_while_loading
    from dama.train.export import export, export_adapter, model_card
    from dama.train.forward import Forward
    from dama.train.loggers import Loggers
    from dama.train.prometheus import port_of
    from dama.train.reference import read_quarantined, read_reference
    from dama.train.run import method_of
    from dama.train.run import train as run_training
    from dama.train.tensorboard import EventFiles

    device = begin(train)
    folder = model_folder(context)
    refuse_too_large(spec, folder, capacity(device))
    ranks.barrier()  # nobody loads while another still looks at what is free
    with cut_while_loading(train):
        loaded = load_model(folder, device=str(device), dtype=train.dtype)
    over_long = read_quarantined(context.inputs["reference"])
    dataset = Preferences(
        PreferenceTable(context.inputs["data"]),
        Encoder(loaded.processor, train.max_length, train.over_long),
        reference=read_reference(context.inputs["reference"]),
        alpha_data=read_alpha(context.inputs["alpha"]) if "alpha" in context.inputs else None,
        without=over_long,
    )
    layout = choose_layout(loaded.model.config, train.max_length, train.attention, train.row_tokens)
    if layout.attention == "flex":
        require_compiler()
    curves = f"{run_prefix(spec.name)}/{CURVES}/{context.planned.digest[:12]}"
    loggers = Loggers(
        names=train.report_to,
        run=spec.name,
        digest=context.planned.digest,
        run_file=shown_parts(spec),
        events=EventFiles(context.store, curves, context.scratch),
        metrics_port=port_of(os.environ),
    )
    steps = Batches(len(dataset), train.batch, train.seed).steps(train.epochs, train.max_steps)
    try:
        with progress(f"training, {spec.method.name}", steps, shown=ranks.rank() == 0) as advance:
            trained = run_training(
                loaded.model,
                dataset,
                Forward(loaded.processor.tokenizer.pad_token_id or 0, device, layout),
                train,
                method_of(spec.method),
                Checkpoints(context.store, context.planned.prefix, train.keep_last, _of(context)),
                context.scratch,
                advance,
                context.stopping,
                loggers,
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
            method=f"{spec.method.name} (beta {spec.method.beta})" + _lora_of(spec),
            run=context.planned.digest[:12],
            metrics=final,
        )
        export(loaded.model, loaded.processor, trained.state, context.out / "model", card, trained.adapters)
        if trained.adapters is not None:
            export_adapter(trained.adapters, trained.state, context.out / "adapter", *_on_the_hub(spec))
    context.notes.update(resumed_from=trained.resumed_from, **trained.notes)
    ranks.stop()
    counts = {"preferences": len(dataset), "over_long": len(over_long)}
    return {"steps": trained.steps, **counts, "final": final}


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


def _on_the_hub(spec: RunSpec) -> tuple[str | None, str | None]:
    return (spec.model.id, spec.model.revision) if spec.model.kind == "hub" else (None, None)


def _lora_of(spec: RunSpec) -> str:
    lora = spec.train.lora
    return f", LoRA of rank {lora.rank} and alpha {lora.alpha:g}, merged" if lora is not None else ""


STAGE = Stage(
    name="train",
    version=2,
    reads=_reads,
    key=_key,
    run=_run,
    title="preference optimisation",
    ranks=lambda spec: spec.train.ranks,
    ready=lambda spec: require_loggers(spec.train.report_to),
    goes_on=True,
    tidy=lambda store, prefix: delete_artifact(store, checkpoints_prefix(prefix)),
)
