"""DeepSpeed's checkpoint files, read as plain data."""

from __future__ import annotations

import copyreg
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dama.errors import TrainingError

if TYPE_CHECKING:
    from deepspeed.runtime.zero.config import ZeroStageEnum


class WeightsOnlyEngine:
    """Makes DeepSpeed read its checkpoints with `weights_only`: tensors and plain values, no code.

    Wraps the engine's own checkpoint engine; everything but `load` goes through to it.
    """

    def __init__(self, inner: Any) -> None:  # noqa: ANN401 - DeepSpeed's CheckpointEngine
        from deepspeed.runtime.zero.config import ZeroStageEnum

        self._inner = inner
        # Python 3.11.0 to 3.11.3 (Debian 12's) write an Enum's member as a call of getattr, which is code.
        copyreg.pickle(ZeroStageEnum, _by_value)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._inner, name)

    def load(self, path: str, map_location: Any = None) -> Any:  # noqa: ANN401 - torch.load's own types
        """Read a file of the checkpoint; TrainingError when it holds anything but data."""
        from deepspeed.runtime.fp16.loss_scaler import LossScaler
        from deepspeed.runtime.zero.config import ZeroStageEnum
        from deepspeed.utils.tensor_fragment import fragment_address

        try:
            with torch.serialization.safe_globals([LossScaler, ZeroStageEnum, fragment_address]):
                return torch.load(path, map_location=map_location, weights_only=True)
        except Exception as error:
            reason = str(error).splitlines()[0]
            raise TrainingError(
                f"{Path(path).name} of the checkpoint cannot be read as plain data: {reason}",
                do="delete that checkpoint; an older one or the start is used",
            ) from error


def _by_value(stage: ZeroStageEnum) -> tuple[type[ZeroStageEnum], tuple[int]]:
    return type(stage), (int(stage.value),)
