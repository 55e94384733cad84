"""Checkpoints of a training: artifacts under the training's own prefix, newest whole one wins.

<train artifact>/checkpoints/step-000100/...            DeepSpeed's state, scheduler, RNG of every rank
<train artifact>/checkpoints/step-000100/commit.json    last
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dama.errors import CorruptArtifact, TrainingError
from dama.storage.base import Store
from dama.storage.commit import COMMIT, delete_artifact, fetch_artifact, read_commit, write_artifact

log = logging.getLogger(__name__)

_STEP = re.compile(r"/step-(\d+)/" + re.escape(COMMIT) + "$")


class Checkpoints:
    """The checkpoints of one training in the store."""

    def __init__(self, store: Store, prefix: str, keep_last: int) -> None:
        self._store, self._prefix, self._keep_last = store, f"{prefix}/checkpoints", keep_last

    def steps(self) -> list[int]:
        """Return the steps that have a committed checkpoint, oldest first."""
        found = (_STEP.search(key) for key in self._store.keys(f"{self._prefix}/"))
        return sorted(int(match.group(1)) for match in found if match)

    def save(self, step: int, folder: Path, meta: Mapping[str, Any]) -> None:
        """Commit the files of `folder` as the checkpoint of `step`, then drop the oldest beyond keep_last."""
        write_artifact(self._store, self._place(step), folder, meta)
        for old in self.steps()[: -self._keep_last]:
            delete_artifact(self._store, self._place(old))

    def newest(self, scratch: Path, ranks: int) -> tuple[Path, Mapping[str, Any]] | None:
        """Return a folder with the newest whole checkpoint and its meta, None when there is none.

        A corrupt one is passed over with a warning. TrainingError when it was saved by another number of
        ranks.
        """
        for step in reversed(self.steps()):
            place = self._place(step)
            try:
                commit = read_commit(self._store, place)
                if commit is None:
                    continue
                folder = fetch_artifact(self._store, place, commit, scratch)
            except CorruptArtifact as error:
                log.warning("checkpoint of step %d is passed over: %s", step, error)
                continue
            if commit.meta["ranks"] != ranks:
                before = commit.meta["ranks"]
                raise TrainingError(
                    f"the checkpoint of step {step} was saved by {before} ranks, and there are {ranks}",
                    wanted="the same number, for optimizer state is cut over ranks",
                    do=f"train with {before} ranks, or delete {self._store.uri}/{self._prefix}",
                )
            return folder, commit.meta
        return None

    def _place(self, step: int) -> str:
        return f"{self._prefix}/step-{step:06d}"


class WeightsOnlyEngine:
    """Makes DeepSpeed read its checkpoints with `weights_only`: tensors and plain values, no code.

    Wraps the engine's own checkpoint engine; everything but `load` goes through to it.
    """

    def __init__(self, inner: Any) -> None:  # noqa: ANN401 - DeepSpeed's CheckpointEngine
        self._inner = inner

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


def read_json(path: Path) -> dict[str, Any]:
    """Return a small JSON file of a checkpoint."""
    return dict(json.loads(path.read_text()))
