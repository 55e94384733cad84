"""Who is told of every step: TensorBoard, Weights & Biases, MLflow, by the names of `train.report_to`.

The last two are reached through transformers' own callbacks and take their settings (project, server, key)
from their own environment variables. Only rank 0 has loggers. A logger that fails ends the training as any
other fault does: curves that silently stop are worse.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from transformers import TrainerCallback
from transformers.integrations.integration_utils import MLflowCallback, WandbCallback

from dama.train.prometheus import Prometheus
from dama.train.tensorboard import EventFiles, TensorBoard


@dataclass(frozen=True)
class Loggers:
    """What loggers are told of a run besides its steps."""

    names: Sequence[str]
    """`tensorboard`, `wandb`, `mlflow`."""
    run: str
    """The run's name."""
    digest: str
    """The training's own name: with it a restarted one continues its curves on W&B."""
    run_file: Mapping[str, Any]
    events: EventFiles
    metrics_port: int | None = None
    """Where Prometheus finds the numbers; nowhere by default."""

    @contextmanager
    def callbacks(self) -> Iterator[list[TrainerCallback]]:
        """Give a callback for each name; at the end what was logged is kept, whatever ended the training."""
        made = self._made()
        try:
            yield made
        finally:
            for callback in made:
                if isinstance(callback, TensorBoard | Prometheus):
                    callback.close()

    def _made(self) -> list[TrainerCallback]:
        made: list[TrainerCallback] = []
        for name in self.names:
            match name:
                case "tensorboard":
                    made.append(TensorBoard(self.events, self.run_file))
                case "wandb":
                    os.environ.setdefault("WANDB_RUN_ID", self.digest[:32])
                    os.environ.setdefault("WANDB_RESUME", "allow")
                    made.append(_Wandb(self.run_file))
                case "mlflow":
                    made.append(_MLflow(self.run_file))
        if self.metrics_port is not None:
            made.append(Prometheus(self.metrics_port, self.run))
        return made


class _Wandb(WandbCallback):
    def __init__(self, run_file: Mapping[str, Any]) -> None:
        super().__init__()
        self._run_file = run_file

    def setup(self, args: Any, state: Any, model: Any, **kwargs: Any) -> None:  # noqa: ANN401 - transformers'
        super().setup(args, state, model, **kwargs)
        self._wandb.config.update({"run_file": dict(self._run_file)}, allow_val_change=True)


class _MLflow(MLflowCallback):
    def __init__(self, run_file: Mapping[str, Any]) -> None:
        super().__init__()
        self._run_file = run_file

    def setup(self, args: Any, state: Any, model: Any) -> None:  # noqa: ANN401 - transformers' signature
        super().setup(args, state, model)
        self._ml_flow.log_dict(dict(self._run_file), "run_file.json")
