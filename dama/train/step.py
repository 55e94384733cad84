"""One optimizer batch: every gap, the decision over all of them, backward.

α_M, the filter and the loss's mean are defined on the optimizer batch, so every gap exists before any loss:

    one pass    forward, exchange gaps, decide, backward
    two passes  all forwards without gradient, exchange gaps, decide; then forward and backward of the kept
                only, spread evenly over the ranks

Either way the loss is the sum over the kept of all ranks divided by their number, whatever the layout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dama.errors import TrainingError
from dama.loss.dama import Decision, Method, RunningMean, combined_alpha, decide
from dama.loss.dpo import dpo_loss
from dama.model.passes import Passes
from dama.train import ranks
from dama.train.batches import Batches
from dama.train.dataset import Item, Preferences
from dama.train.forward import Forward, micro_batches

Backward = Callable[[Tensor, bool], None]
"""Goes backward from a loss; with True the accumulated gradients are reduced, clipped and applied."""


@dataclass(frozen=True)
class Stepped:
    """What one optimizer batch came to."""

    decision: Decision
    whole: Tensor
    """[N, 5] on the CPU, float64: gap, log-ratio of chosen and rejected, α_D, cut tokens."""
    loss: float


class Step:
    """Goes through optimizer batches as `passes` says; every rank calls it with its own share, in step."""

    def __init__(
        self,
        dataset: Preferences,
        batches: Batches,
        forward: Forward,
        method: Method,
        passes: Passes,
        at_once: int,
        backward: Backward,
        device: torch.device,
    ) -> None:
        """`at_once` preferences go forward at a time where no gradient is wanted."""
        self._dataset, self._batches, self._forward = dataset, batches, forward
        self._method, self._passes, self._at_once = method, passes, at_once
        self._backward, self._device = backward, device

    def __call__(self, model: Any, items: Sequence[Item], step: int, mean: RunningMean) -> Stepped:  # noqa: ANN401
        """Take optimizer step `step` (from 0) on this rank's share `items`; R̄ is `mean` before it.

        Raises TrainingError, before any parameter moves, when a gap is not finite.
        """
        decision, whole = (self._two if self._passes.two else self._one)(model, items, step, mean)
        loss_N = dpo_loss(whole[:, 0], decision.beta_N)
        return Stepped(decision, whole, float(loss_N[decision.kept_N].mean()))

    def _one(
        self,
        model: Any,  # noqa: ANN401
        items: Sequence[Item],
        step: int,
        mean: RunningMean,
    ) -> tuple[Decision, Tensor]:
        """Forward and backward of the whole share. Only a separable method comes in several micro-batches:
        all but the last go backward before the others' gaps are known, and their gradients are applied with
        the last one's, after every gap has been looked at."""
        parts = list(micro_batches(items, self._passes.micro_batch))
        found: list[Tensor] = []
        for part in parts[:-1]:
            logps_N2 = self._forward.logps(model, part)
            found.append(logps_N2.detach())
            alpha_N = torch.tensor([item.alpha_data for item in part], dtype=torch.float64)
            gap_N = self._forward.gaps(logps_N2, part)
            beta_N = self._method.beta * combined_alpha(alpha_N, 1.0, self._method)
            self._learn(
                gap_N, beta_N, torch.ones(len(part), dtype=torch.bool), self._batches.batch, last=False
            )
        logps_N2 = self._forward.logps(model, parts[-1])
        whole = self._exchanged(torch.cat([*found, logps_N2.detach()]), items)
        decision = self._decide(whole, step, mean)
        first = ranks.rank() * len(items) + len(items) - len(parts[-1])
        mine = slice(first, first + len(parts[-1]))
        gap_N = self._forward.gaps(logps_N2, parts[-1])
        kept = int(decision.kept_N.sum())
        self._learn(gap_N, decision.beta_N[mine], decision.kept_N[mine], kept, last=True)
        return decision, whole

    def _two(
        self,
        model: Any,  # noqa: ANN401
        items: Sequence[Item],
        step: int,
        mean: RunningMean,
    ) -> tuple[Decision, Tensor]:
        with torch.no_grad():
            parts = micro_batches(items, self._at_once)
            logps_N2 = torch.cat([self._forward.logps(model, part) for part in parts])
        whole = self._exchanged(logps_N2, items)
        decision = self._decide(whole, step, mean)
        self._learn_kept(model, decision, step)
        return decision, whole

    def _learn_kept(self, model: Any, decision: Decision, step: int) -> None:  # noqa: ANN401
        """Forward again and backward, the kept only; each rank runs the same number of micro-batches, because
        ZeRO's collectives run in step: one that has fewer fills up with preferences of weight nothing."""
        kept = decision.kept_N.nonzero().flatten().tolist()
        batch = self._batches[step]
        mine = kept[ranks.rank() :: ranks.world()]
        most = -(-len(kept) // ranks.world())
        filled = [(place, True) for place in mine] + [(kept[0], False)] * (most - len(mine))
        parts = list(micro_batches(filled, self._passes.micro_batch))
        for number, part in enumerate(parts):
            places = [place for place, _ in part]
            items = [self._dataset[batch[place]] for place in places]
            gap_N = self._forward.gaps(self._forward.logps(model, items), items)
            counted_N = torch.tensor([counted for _, counted in part])
            last = number == len(parts) - 1
            self._learn(gap_N, decision.beta_N[places], counted_N, len(kept), last=last)

    def _exchanged(self, logps_N2: Tensor, items: Sequence[Item]) -> Tensor:
        """Return [N, 5] of the whole optimizer batch, equal on every rank."""
        gap_N = self._forward.gaps(logps_N2, items)
        reference = torch.tensor(
            [(i.reference.chosen, i.reference.rejected) for i in items if i.reference is not None]
        )
        ratios_N2 = logps_N2.float().cpu() - reference
        alpha_N = torch.tensor([item.alpha_data for item in items], dtype=torch.float64)
        cut_N = torch.tensor([item.encoded.cut for item in items], dtype=torch.float64)
        local = torch.cat(
            [gap_N.cpu()[:, None].double(), ratios_N2.double(), alpha_N[:, None], cut_N[:, None]], dim=1
        )
        return ranks.gathered(local.to(self._device)).cpu()

    def _decide(self, whole: Tensor, step: int, mean: RunningMean) -> Decision:
        finite_N = torch.isfinite(whole[:, 0])
        if not bool(finite_N.all()):
            ids = [self._dataset.id(index) for index in self._batches[step]]
            bad = [id for id, fine in zip(ids, finite_N.tolist(), strict=True) if not fine]
            raise TrainingError(
                f"step {step + 1}: the gap of {len(bad)} preferences is not finite: {', '.join(bad[:5])}",
                do="look at these preferences, lower train.learning_rate; the last checkpoint is good",
            )
        generator = torch.Generator().manual_seed((self._batches.seed * 1_000_003 + step) % 2**63)
        return decide(whole[:, 0], whole[:, 3], self._method, mean, generator)

    def _learn(self, gap_N: Tensor, beta_N: Tensor, counted_N: Tensor, kept: int, *, last: bool) -> None:
        """Backward of Σ over the counted of −log σ(β_C·g), divided by the kept of all ranks.

        DeepSpeed averages gradients over ranks; the factor `world` makes a sum of that.
        """
        beta_N, counted_N = beta_N.to(gap_N), counted_N.to(gap_N.device)
        loss_N = dpo_loss(gap_N, beta_N)
        loss = torch.where(counted_N, loss_N, loss_N * 0).sum() * (ranks.world() / kept)
        self._backward(loss, last)
