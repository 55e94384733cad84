"""The training loop: transformers' Trainer with DeepSpeed below, and one optimizer batch at a time.

What is special here is `training_step`: it gets a rank's whole share of the optimizer batch and leaves it to
`dama.train.step`, which cuts it into micro-batches itself. DeepSpeed is told of no accumulation.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments
from transformers.integrations.deepspeed import deepspeed_load_checkpoint

from dama.errors import RestartMe, TrainingError
from dama.loss.dama import Method, RunningMean
from dama.model.logps import AnswerLogps
from dama.model.passes import Passes, Work, choose_passes, describe, needs_room
from dama.spec.train import TrainSpec
from dama.train import ranks
from dama.train.batches import Batches, RankShare
from dama.train.dataset import Item, Preferences
from dama.train.deepspeed import adapted
from dama.train.forward import Forward
from dama.train.history import History
from dama.train.loader import loader
from dama.train.orders import Orders
from dama.train.quartiles import Quartiles
from dama.train.record import step_record
from dama.train.rng import put_back_rng, read_rng, save_rng
from dama.train.room import coming_moments, measure_room
from dama.train.step import Step, Stepped
from dama.train.throughput import Pace, Throughput
from dama.train.upload import Uploads
from dama.train.weights_only import WeightsOnlyEngine

log = logging.getLogger(__name__)

_STATE = "dama.json"
_RNG = "rng-{}.pt"


class PreferenceTrainer(Trainer):
    """Trains an `AnswerLogps` module on a `Preferences` dataset."""

    def __init__(
        self,
        model: AnswerLogps,
        args: TrainingArguments,
        *,
        dataset: Preferences,
        batches: Batches,
        forward: Forward,
        method: Method,
        train: TrainSpec,
        work: Work,
        uploads: Uploads,
        orders: Orders,
        scratch: Path,
        throughput: Throughput,
    ) -> None:
        super().__init__(model=model, args=args)
        self._dataset, self._batches, self._forward = dataset, batches, forward
        self._module, self._method, self._train, self._work = model, method, train, work
        self._uploads, self._orders, self._scratch = uploads, orders, scratch
        self._rng: dict[str, Any] | None = None
        self.running_mean = RunningMean()
        self.history = History()
        self.throughput = throughput
        self._share: Sequence[Item] = ()
        self.passes: Passes | None = None
        """How batches are gone through; chosen at the first step, or by the training that is resumed."""
        self._step: Step | None = None
        self._record: dict[str, Any] = {}
        alphas = dataset.alphas()
        self._quartiles = Quartiles.of(alphas) if alphas is not None else None

    def get_train_dataloader(self) -> DataLoader[Item]:
        """Return this rank's share of each optimizer batch; one pass over it is the whole run."""
        share = RankShare(self._batches, self.args.max_steps, ranks.rank(), ranks.world())
        return loader(self._dataset, share, self.args.dataloader_num_workers, self.args.seed)

    def training_step(
        self,
        model: Any,
        inputs: Any,
        num_items_in_batch: Any = None,
    ) -> Tensor:
        """Take one optimizer step on this rank's share of the batch; R̄ moves with it."""
        model.train()
        self._share = inputs
        learning_rate = float(self._get_learning_rate())  # DeepSpeed's step, inside backward, moves it on
        if self._step is None:
            self._step = self._first_step(model, inputs)
        stepped = self._step(model, inputs, self.state.global_step, self.running_mean)
        self._remember(stepped, learning_rate)
        self.running_mean = stepped.decision.next_mean
        return torch.tensor(stepped.loss, device=self.args.device)

    def _first_step(self, model: Any, items: Sequence[Item]) -> Step:
        """Choose how the batches are gone through, as a resumed training did before."""
        module, train = self._module, self._train
        if self.passes is None:
            room = None
            if needs_room(self._work):
                module.recompute(False)
                coming = coming_moments(module, train)
                room = measure_room(model, self._forward, items, self.args.device, coming)
            self.passes = choose_passes(self._work, room)
            if ranks.rank() == 0:
                log.info("training takes %s", describe(self.passes))
        module.recompute(self.passes.recompute)
        return Step(
            self._dataset,
            self._batches,
            self._forward,
            self._method,
            self.passes,
            train.per_device_batch,
            self._backward,
            self.args.device,
        )

    def _backward(self, loss: Tensor, last: bool) -> None:
        self.accelerator.gradient_state._set_sync_gradients(last)
        self.accelerator.backward(loss, scale_wrt_gas=False)

    def _ids(self, step: int) -> list[str]:
        return [self._dataset.id(index) for index in self._batches[step]]

    def _remember(self, stepped: Stepped, learning_rate: float) -> None:
        step, decision, whole = self.state.global_step, stepped.decision, stepped.whole
        self._record = step_record(
            decision, whole, self._method, self.running_mean, stepped.loss, self._quartiles
        )
        self._record["learning_rate"] = learning_rate
        self._record["epoch"] = round((step + 1) / self._batches.per_epoch, 6)
        self.history.gaps.append(
            {
                "step": step + 1,
                "ids": self._ids(step),
                "gaps": [float(g) for g in whole[:, 0]],
                "kept": decision.kept_N.tolist(),
                "beta": decision.beta_N.tolist(),
            }
        )

    def _maybe_log_save_evaluate(self, tr_loss: Any, grad_norm: Any, *args: Any, **kwargs: Any) -> None:
        """Complete the step's record, tell the loggers, then let the Trainer save."""
        step = self.state.global_step
        if self._record:
            norm = float(grad_norm)
            if not (math.isfinite(norm) and math.isfinite(self._record["loss"])):
                seen = self.history.gaps[-1]
                ids = [id for id, kept in zip(seen["ids"], seen["kept"], strict=True) if kept]
                raise TrainingError(
                    f"step {step}: loss {self._record['loss']:.4g} and gradient {norm:.4g}, learned from "
                    f"preferences {', '.join(ids)}",
                    wanted="finite numbers",
                    do="look at these preferences, lower train.learning_rate; the last checkpoint is good",
                )
            record = {"step": step, **self._record, "grad_norm": norm}
            self.history.metrics.append(record)
            self._record = {}
            logs = {**record, **self._pace(step).numbers()}
            logs = {key: value for key, value in logs.items() if isinstance(value, int | float)}
            self.callback_handler.on_log(self.args, self.state, self.control, logs)
            order = self._orders.after(step)
            self.control.should_save = order.save
            super()._maybe_log_save_evaluate(tr_loss, grad_norm, *args, **kwargs)
            if order.stop:
                self._uploads.settle(last=True)
                raise RestartMe(
                    f"{order.stop}: saved at step {step} of {self.state.max_steps}; the same command goes on"
                )

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep the Trainer's own summary from the loggers: it knows neither our loss nor our batches."""

    def _pace(self, step: int) -> Pace:
        kept = self.history.gaps[-1]["kept"]
        first = ranks.rank() * len(self._share)
        encoded = [item.encoded for item in self._share]
        return self.throughput.step(step, encoded, kept[first : first + len(encoded)])

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write engine, scheduler, RNG, running mean and history to local disk; the upload goes on behind."""
        step = self.state.global_step
        self._uploads.settle()
        folder = self._scratch / f"step-{step}"
        folder.mkdir(parents=True, exist_ok=True)
        self._save_optimizer_and_scheduler(str(folder))
        save_rng(folder / _RNG.format(ranks.rank()))
        if ranks.rank() == 0:
            self.state.save_to_json(str(folder / "trainer_state.json"))
            passes = self.passes.to_json() if self.passes is not None else None
            state = {"running_mean": self.running_mean.value, "passes": passes}
            (folder / _STATE).write_text(json.dumps(state))
            self.history.save(folder)
            for script in folder.glob("zero_to_*.py"):
                script.unlink()  # DeepSpeed's programs to take its files apart; no code in a checkpoint
        ranks.barrier()
        self._uploads.begin(
            step, folder, {"ranks": ranks.world(), "zero": self.args.deepspeed["zero_optimization"]["stage"]}
        )

    def _prepare_for_training(
        self,
        max_steps: int,
        train_dataloader: Any,
        resume_from_checkpoint: str | None,
    ) -> tuple[Any, Any]:
        """Build the engine; read its checkpoint, if there is one, as plain data."""
        engine, train_dataloader = super()._prepare_for_training(max_steps, train_dataloader, None)
        engine.checkpoint_engine = WeightsOnlyEngine(engine.checkpoint_engine)
        adapted(engine)
        if resume_from_checkpoint is not None:
            folder = Path(resume_from_checkpoint)
            deepspeed_load_checkpoint(engine, resume_from_checkpoint)
            self._load_optimizer_and_scheduler(resume_from_checkpoint)
            state = json.loads((folder / _STATE).read_text())
            self.running_mean = RunningMean(state["running_mean"])
            self.passes = Passes.from_json(state["passes"])
            self.history = History.load(folder)
            self._rng = read_rng(folder / _RNG.format(ranks.rank()))
        self.throughput.begin()
        return engine, train_dataloader

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Put the generators back, at the moment of the Trainer's choosing: just before the first step."""
        if self._rng is not None:
            put_back_rng(self._rng)
            self._rng = None
