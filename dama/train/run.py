"""A training from its settings to its end: engine, resume, steps, consolidated weights."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PrinterCallback, TrainerCallback, TrainingArguments

from dama.errors import RestartMe, TrainingError
from dama.loss.dama import Method
from dama.model.logps import AnswerLogps
from dama.model.passes import Work
from dama.spec.method import D2po, Dama, Mdpo, MethodSpec, WeightedSum, uses_alpha_data
from dama.spec.train import TrainSpec
from dama.train import ranks
from dama.train.batches import Batches
from dama.train.checkpoint import Checkpoints
from dama.train.dataset import Preferences
from dama.train.deepspeed import configuration
from dama.train.forward import Forward
from dama.train.history import History
from dama.train.loader import workers_of
from dama.train.loggers import Loggers
from dama.train.lora import Adapters, inject
from dama.train.orders import Orders, Stop, Unstopped
from dama.train.resume import Resumed, newest
from dama.train.throughput import Throughput, described
from dama.train.trainer import PreferenceTrainer
from dama.train.upload import Uploads

log = logging.getLogger(__name__)

Advance = Callable[[int, str], None]
"""Is told how many steps are done, and in a few words how the last one went."""


def work_of(train: TrainSpec, method: Method) -> Work:
    """Return what the choice of passes depends on."""
    return Work(
        asked=train.passes,
        batch=train.batch,
        kept=min(method.keep, train.batch) if method.filter != "none" else train.batch,
        per_device=train.per_device_batch,
        accumulation=train.accumulation,
        recompute=train.gradient_checkpointing,
        separable=not method.model_aware,
    )


def method_of(spec: MethodSpec) -> Method:
    """Return the loss's settings for the run file's method."""
    if not isinstance(spec, Mdpo | Dama):
        return Method(beta=spec.beta, data_aware=isinstance(spec, D2po), model_aware=False)
    combine = spec.combine if isinstance(spec, Dama) else None
    return Method(
        beta=spec.beta,
        data_aware=uses_alpha_data(spec),
        model_aware=True,
        keep=spec.keep,
        gamma=spec.gamma,
        filter=spec.filter,
        reading=spec.reading,
        rho=combine.rho if isinstance(combine, WeightedSum) else None,
    )


@dataclass(frozen=True)
class Trained:
    """What a training leaves: its history, and on rank 0 all weights."""

    history: History
    state: Mapping[str, Tensor] | None
    steps: int
    resumed_from: int
    adapters: Adapters | None
    """Those of LoRA: how `state` becomes the weights of a plain model."""
    notes: Mapping[str, Any]
    """Speed and memory, which depend on clock and host."""


def train(
    llava: Any,  # noqa: ANN401 - a transformers model
    dataset: Preferences,
    forward: Forward,
    spec: TrainSpec,
    method: Method,
    checkpoints: Checkpoints,
    scratch: Path,
    advance: Advance = lambda steps, note: None,
    stop: Stop | None = None,
    loggers: Loggers | None = None,
) -> Trained:
    """Train from the newest checkpoint, or from the start, to the last step.

    Runs on every rank; `advance` is told of every step and how it went, and first of those that a resumed run
    finds done; `loggers` are told on rank 0. Raises TrainingError when a gap or gradient is not finite, and
    RestartMe, its state saved and uploaded, when `stop` or train.limit_minutes says so.
    """
    stop = stop if stop is not None else Unstopped()
    torch.manual_seed(spec.seed)
    if ranks.world() != spec.ranks:
        raise TrainingError(
            f"{ranks.world()} processes",
            wanted=f"train.ranks = {spec.ranks}",
            do="start it by `dama stage train`, or torchrun with that many processes",
        )
    model = AnswerLogps(llava, forward.layout, gradient_checkpointing=spec.gradient_checkpointing)
    adapters = inject(llava, spec.lora) if spec.lora is not None else None
    batches = Batches(len(dataset), spec.batch, spec.seed)
    steps = batches.steps(spec.epochs, spec.max_steps)
    shared = ranks.shared_folder(scratch)
    found = newest(checkpoints, shared / "resume")
    uploads = Uploads(checkpoints)
    trainer = PreferenceTrainer(
        model,
        _arguments(spec, steps, shared, loggers.run if loggers is not None else None),
        dataset=dataset,
        batches=batches,
        forward=forward,
        method=method,
        train=spec,
        work=work_of(spec, method),
        uploads=uploads,
        orders=Orders(spec, steps, stop),
        scratch=shared,
        throughput=Throughput(llava.config.to_dict(), forward.device, steps, adapters=adapters is not None),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_Advance(advance))
    trainer.add_callback(_Beginning(stop, found))
    resumed_from = found.step if found else 0
    if found:
        advance(resumed_from, "")
        if ranks.rank() == 0:
            log.info("going on from the checkpoint of step %d of %d", resumed_from, steps)
    with ExitStack() as stack:
        if loggers is not None and ranks.rank() == 0:
            for callback in stack.enter_context(loggers.callbacks()):
                trainer.add_callback(callback)
        try:
            trainer.train(resume_from_checkpoint=str(found.folder) if found else None)
            uploads.settle(last=True)
        except RestartMe:
            raise
        except Exception:
            uploads.finish_alone()  # the last good checkpoint
            raise
    state = trainer.accelerator.get_state_dict(trainer.deepspeed)
    return Trained(
        trainer.history,
        state if ranks.rank() == 0 else None,
        steps,
        resumed_from,
        adapters,
        trainer.throughput.notes(),
    )


class _Beginning(TrainerCallback):
    """All is loaded: the copy of the checkpoint can go, and wishes to stop wait for the end of a step."""

    def __init__(self, stop: Stop, found: Resumed | None) -> None:
        self._stop, self._found = stop, found

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Trainer's signature
        """The engine has read the checkpoint."""
        if self._found is not None:
            self._found.discard()
        self._stop.wait_for_steps()


class _Advance(TrainerCallback):
    """Tells a progress bar of every step."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:  # noqa: ANN401
        """One more step is done."""
        self._advance(1, described(logs))


def _arguments(spec: TrainSpec, steps: int, scratch: Path, run: str | None) -> TrainingArguments:
    """Return transformers' settings; what they share with DeepSpeed's configuration must agree, and does."""
    return TrainingArguments(
        output_dir=str(scratch),
        run_name=run,
        max_steps=steps,
        per_device_train_batch_size=spec.batch // spec.ranks,
        learning_rate=spec.learning_rate,
        lr_scheduler_type=spec.schedule if spec.schedule != "constant" else "constant_with_warmup",
        warmup_steps=math.ceil(spec.warmup * steps),
        weight_decay=spec.weight_decay,
        max_grad_norm=spec.max_grad_norm,
        bf16=spec.dtype == "bfloat16",
        use_cpu=spec.device == "cpu",
        seed=spec.seed,
        deepspeed=configuration(spec),
        save_strategy="no",  # `Orders` says when
        logging_strategy="no",
        report_to=[],
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        dataloader_num_workers=workers_of(spec.workers, spec.device),
        disable_tqdm=True,
    )
