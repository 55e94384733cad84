"""TensorBoard's event files: written in the run's own folder of the store, or copied there again and again.

runs/<run>/tensorboard/events.out.tfevents...    one file a process that trained; a restarted one goes on

They are no part of the training's artifact, for they tell the time. A restarted training takes up the curves
at its checkpoint's step; what was logged beyond it by the one before is purged on reading.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from dama.errors import StorageError
from dama.storage.base import Store

log = logging.getLogger(__name__)

_GROUPS = (
    ("reward_", "rewards/"),
    ("gap_", "gap/"),
    ("alpha_", "factors/alpha_"),
    ("beta_", "factors/beta_"),
    ("running_mean", "factors/running_mean"),
    ("batch_mean", "factors/batch_mean"),
    ("preferences_per_second", "speed/preferences_per_second"),
    ("tokens_per_second", "speed/tokens_per_second"),
    ("mfu", "speed/mfu"),
    ("memory_gib", "speed/memory_gib"),
)
_UNDRAWN = {"step", "batch", "seconds_left"}
"""Numbers that are no curves."""


def tag(name: str) -> str:
    """Return the tag that a metric is drawn under: its group and what it is called there."""
    for start, group in _GROUPS:
        if name.startswith(start):
            return group + name.removeprefix(start)
    return f"train/{name}"


class EventFiles:
    """Where event files are written, and how they get into the store when that is elsewhere.

    Curves are worth less than the training that draws them: training does not wait while they are copied,
    and a copy that fails is said in a warning; the next one brings what it left out.
    """

    def __init__(self, store: Store, prefix: str, scratch: Path) -> None:
        local = store.local(prefix)
        self.folder = local if local is not None else scratch / "tensorboard"
        self._store, self._prefix = (store if local is None else None), prefix
        self._copied: dict[str, int] = {}
        self._copier = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dama-curves")
        self._under_way: Future[None] | None = None

    def sync(self) -> None:
        """Begin to copy what has grown since the last time, unless a copy is still under way."""
        if self._store is not None and (self._under_way is None or self._under_way.done()):
            self._under_way = self._copier.submit(self._copy, self._store)

    def finish(self) -> None:
        """Copy what has grown, and come back when it is in the store or has failed."""
        if self._under_way is not None:
            self._under_way.result()
        self.sync()
        if self._under_way is not None:
            self._under_way.result()
        self._copier.shutdown()

    def _copy(self, store: Store) -> None:
        try:
            for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
                size = path.stat().st_size
                if self._copied.get(path.name) != size:
                    store.put_file(f"{self._prefix}/{path.name}", path)
                    self._copied[path.name] = size
        except StorageError as error:
            log.warning("the newest curves are not in the store: %s", error)


class TensorBoard(TrainerCallback):
    """Draws every number of a step, and shows the run file."""

    def __init__(self, events: EventFiles, run_file: Mapping[str, Any]) -> None:
        self._events, self._run_file = events, run_file
        self._writer: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401 - transformers' signature
        """Open a file that takes over all steps from the one that comes next."""
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        self._events.folder.mkdir(parents=True, exist_ok=True)
        self._writer = SummaryWriter(
            str(self._events.folder), purge_step=state.global_step + 1, flush_secs=10
        )
        parameters = dict(_flat(self._run_file))
        rows = "\n".join(f"| {name} | {value} |" for name, value in parameters.items())
        self._writer.add_text("run_file", f"| key | value |\n|---|---|\n{rows}", state.global_step)
        for summary in hparams(parameters, {tag("loss"): 0.0}):  # type: ignore[no-untyped-call]
            self._writer.file_writer.add_summary(summary)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:  # noqa: ANN401
        """Write one point of every curve."""
        for name, value in (logs or {}).items():
            if name not in _UNDRAWN:
                self._writer.add_scalar(tag(name), value, state.global_step)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Keep with each checkpoint what leads to it."""
        self._writer.flush()
        self._events.sync()

    def close(self) -> None:
        """Close the file, however the training ended, and keep it; once is enough."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._events.finish()


def _flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, bool | int | float | str]]:
    """Yield a run file's values under dotted names, as TensorBoard's table of parameters wants them."""
    for key, value in tree.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        else:
            yield name, value if isinstance(value, bool | int | float | str) else str(value)
