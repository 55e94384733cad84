"""The training loop: transformers' Trainer with DeepSpeed below, and one optimizer batch at a time.

What is special here is `training_step`. α_M, the filter and the loss's mean are defined on the optimizer
batch, so a rank gets its whole share of it and every gap exists before any backward:

    one pass    the share is one micro-batch: forward, exchange gaps, decide, backward
    two passes  more micro-batches: all forwards without gradient, exchange gaps, decide; then forward and
    backward
                of the kept only, spread evenly over the ranks

Either way the loss is the sum over the kept of all ranks divided by their number, whatever the layout.
"""

from __future__ import annotations

import json
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
from dama.loss.dama import Decision, Method, RunningMean, decide
from dama.loss.dpo import dpo_loss
from dama.train import ranks
from dama.train.batches import Batches, RankShare
from dama.train.dataset import Item, Preferences
from dama.train.forward import Forward, micro_batches
from dama.train.history import History
from dama.train.loader import loader
from dama.train.orders import Orders
from dama.train.record import step_record
from dama.train.rng import put_back_rng, read_rng, save_rng
from dama.train.upload import Uploads
from dama.train.weights_only import WeightsOnlyEngine

_STATE = "dama.json"
_RNG = "rng-{}.pt"


class PreferenceTrainer(Trainer):
    """Trains an `AnswerLogps` module on a `Preferences` dataset."""

    def __init__(
        self,
        model: torch.nn.Module,
        args: TrainingArguments,
        *,
        dataset: Preferences,
        batches: Batches,
        forward: Forward,
        method: Method,
        per_device_batch: int,
        uploads: Uploads,
        orders: Orders,
        scratch: Path,
    ) -> None:
        super().__init__(model=model, args=args)
        self._dataset, self._batches, self._forward = dataset, batches, forward
        self._method, self._per_device_batch = method, per_device_batch
        self._uploads, self._orders, self._scratch = uploads, orders, scratch
        self._rng: dict[str, Any] | None = None
        self.running_mean = RunningMean()
        self.history = History()
        self._record: dict[str, Any] = {}

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
        """Run one optimizer batch: gaps, decision, backward, optimizer step, running mean."""
        items: list[Item] = inputs
        model.train()
        one_pass = len(items) <= self._per_device_batch
        if one_pass:
            logps_N2 = self._forward.logps(model, items)
        else:
            with torch.no_grad():
                parts = [
                    self._forward.logps(model, part) for part in micro_batches(items, self._per_device_batch)
                ]
            logps_N2 = torch.cat(parts)
        gap_N = self._forward.gaps(logps_N2, items)
        whole = self._whole_batch(gap_N.detach(), logps_N2.detach(), items)
        decision = self._decide(whole)
        learning_rate = float(self._get_learning_rate())  # DeepSpeed's step, inside backward, moves it on
        if one_pass:
            self._backward_share(gap_N, decision)
        else:
            self._backward_kept(model, decision)
        loss_N = dpo_loss(whole[:, 0].double(), decision.beta_N)
        loss = float(loss_N[decision.kept_N].mean())
        self._remember(decision, whole, loss, learning_rate)
        self.running_mean = decision.next_mean
        return torch.tensor(loss, device=self.args.device)

    def _whole_batch(self, gap_N: Tensor, logps_N2: Tensor, items: Sequence[Item]) -> Tensor:
        """Return [N, 5] on the CPU: gap, log-ratio of chosen and rejected, α_D, cut tokens; all ranks."""
        reference = torch.tensor(
            [(i.reference.chosen, i.reference.rejected) for i in items if i.reference is not None]
        )
        ratios_N2 = logps_N2.float().cpu() - reference
        alpha_N = torch.tensor([item.alpha_data for item in items], dtype=torch.float64)
        cut_N = torch.tensor([item.encoded.cut for item in items], dtype=torch.float64)
        local = torch.cat(
            [gap_N.cpu()[:, None].double(), ratios_N2.double(), alpha_N[:, None], cut_N[:, None]], dim=1
        )
        return ranks.gathered(local.to(self.args.device)).cpu()

    def _decide(self, whole: Tensor) -> Decision:
        step = self.state.global_step
        finite_N = torch.isfinite(whole[:, 0])
        if not bool(finite_N.all()):
            ids = [i for i, fine in zip(self._ids(step), finite_N.tolist(), strict=True) if not fine]
            raise TrainingError(
                f"step {step + 1}: the gap of {len(ids)} preferences is not finite: {', '.join(ids[:5])}",
                do="look at these preferences, lower train.learning_rate; the last checkpoint is good",
            )
        generator = torch.Generator().manual_seed((self.args.seed * 1_000_003 + step) % 2**63)
        return decide(whole[:, 0], whole[:, 3], self._method, self.running_mean, generator)

    def _backward_share(self, gap_N: Tensor, decision: Decision) -> None:
        first = ranks.rank() * len(gap_N)
        mine = slice(first, first + len(gap_N))
        self._backward(gap_N, decision.beta_N[mine], decision.kept_N[mine], int(decision.kept_N.sum()))

    def _backward_kept(self, model: Any, decision: Decision) -> None:
        """Forward again and backward, the kept only; each rank runs the same number of micro-batches, because
        ZeRO's collectives run in step: one that has fewer fills up with preferences of weight nothing."""
        kept = decision.kept_N.nonzero().flatten().tolist()
        batch = self._batches[self.state.global_step]
        mine = kept[ranks.rank() :: ranks.world()]
        most = -(-len(kept) // ranks.world())
        filled = [(place, True) for place in mine] + [(kept[0], False)] * (most - len(mine))
        parts = list(micro_batches(filled, self._per_device_batch))
        for number, part in enumerate(parts):
            places = [place for place, _ in part]
            items = [self._dataset[batch[place]] for place in places]
            gap_N = self._forward.gaps(self._forward.logps(model, items), items)
            counted_N = torch.tensor([counted for _, counted in part])
            last = number == len(parts) - 1
            self._backward(gap_N, decision.beta_N[places], counted_N, len(kept), step=last)

    def _backward(
        self, gap_N: Tensor, beta_N: Tensor, counted_N: Tensor, kept: int, *, step: bool = True
    ) -> None:
        """Backward of Σ over the counted of −log σ(β_C·g), divided by the kept of all ranks.

        DeepSpeed averages gradients over ranks; the factor `world` makes a sum of that. With `step` the
        accumulated gradients are reduced, clipped and applied.
        """
        beta_N, counted_N = beta_N.to(gap_N), counted_N.to(gap_N.device)
        loss_N = dpo_loss(gap_N, beta_N)
        loss = torch.where(counted_N, loss_N, loss_N * 0).sum() * (ranks.world() / kept)
        self.accelerator.gradient_state._set_sync_gradients(step)
        self.accelerator.backward(loss, scale_wrt_gas=False)

    def _ids(self, step: int) -> list[str]:
        return [self._dataset.id(index) for index in self._batches[step]]

    def _remember(self, decision: Decision, whole: Tensor, loss: float, learning_rate: float) -> None:
        step = self.state.global_step
        self._record = step_record(decision, whole, self._method, self.running_mean, loss)
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
            norm = float(grad_norm) if grad_norm is not None else None  # ZeRO 0 in float32 computes none
            if norm is not None and not math.isfinite(norm):
                ids = ", ".join(self._ids(step - 1)[:5])
                raise TrainingError(
                    f"step {step}: the gradient is not finite (preferences {ids} ...)",
                    do="lower train.learning_rate; the last checkpoint is good",
                )
            record = {"step": step, **self._record, "grad_norm": norm}
            self.history.metrics.append(record)
            self._record = {}
            logs = {f"train/{key}": value for key, value in record.items() if isinstance(value, int | float)}
            self.callback_handler.on_log(self.args, self.state, self.control, logs)
            order = self._orders.after(step)
            self.control.should_save = order.save
            super()._maybe_log_save_evaluate(tr_loss, grad_norm, *args, **kwargs)
            if order.stop:
                self._uploads.settle(last=True)
                raise RestartMe(
                    f"{order.stop}: saved at step {step} of {self.state.max_steps}; the same command goes on"
                )

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
            (folder / _STATE).write_text(json.dumps({"running_mean": self.running_mean.value}))
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
        if resume_from_checkpoint is not None:
            folder = Path(resume_from_checkpoint)
            deepspeed_load_checkpoint(engine, resume_from_checkpoint)
            self._load_optimizer_and_scheduler(resume_from_checkpoint)
            self.running_mean = RunningMean(json.loads((folder / _STATE).read_text())["running_mean"])
            self.history = History.load(folder)
            self._rng = read_rng(folder / _RNG.format(ranks.rank()))
        return engine, train_dataloader

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Put the generators back, at the moment of the Trainer's choosing: just before the first step."""
        if self._rng is not None:
            put_back_rng(self._rng)
            self._rng = None
