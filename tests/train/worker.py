"""One rank of a small training, started by torchrun from the tests: `worker.py SETTINGS.json`."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from dama.errors import RestartMe, StoreUnreachable
from dama.stages.launch import live_as_child
from dama.stages.stopping import Stopping
from dama.stages.torchrun import leave, note_failure
from dama.storage.base import Progress
from dama.storage.local import LocalStore


def main(settings: dict[str, Any], stopping: Callable[[], Stopping] = Stopping) -> int:
    """Train as told and leave metrics, gaps and weights in the folder `out`; return the exit code."""
    with stopping() as stop:
        try:
            _train(settings, stop)
        except RestartMe as wish:
            if note_failure(wish.exit_code):
                sys.stderr.write(f"worker: {wish}\n")
            return wish.exit_code
    return 0


def _train(settings: dict[str, Any], stop: Stopping) -> None:
    from dama.loss.dama import Method
    from dama.spec.train import TrainSpec
    from dama.train import ranks
    from dama.train.begin import begin

    spec = TrainSpec.model_validate(settings["train"])
    device = begin(spec)

    from safetensors.torch import save_file

    from dama.data.table import PreferenceTable
    from dama.model.encode import Encoder
    from dama.model.layout import Layout
    from dama.model.load import load_model
    from dama.train.checkpoint import Checkpoints
    from dama.train.dataset import Preferences
    from dama.train.deepspeed import cut_while_loading
    from dama.train.export import export, export_adapter
    from dama.train.forward import Forward
    from dama.train.reference import read_reference
    from dama.train.run import train

    folder, out = Path(settings["folder"]), Path(settings["out"])
    with cut_while_loading(spec) if settings.get("cut", True) else nullcontext():
        loaded = load_model(folder / "llava")
    if spec.zero.stage == 3 and spec.ranks > 1:
        held = sum(parameter.numel() for parameter in loaded.model.parameters())
        assert (held == 0) == settings.get("cut", True), "cut over the ranks as it was loaded"
    dataset = Preferences(
        PreferenceTable(folder / "data"),
        Encoder(loaded.processor, spec.max_length),
        reference=read_reference(folder / "reference"),
        alpha_data=json.loads((folder / "alpha.json").read_text()),
    )
    if "poison" in settings and ranks.rank() == 0:
        _poison(loaded.model, **settings["poison"])
    kill_after = settings.get("kill_after") if ranks.rank() == 0 else None
    store = HarmfulStore(Path(settings.get("store", out)), kill_after, settings.get("refused", ()))
    checkpoints = Checkpoints(store, "train", spec.keep_last, settings.get("of"))
    scratch = out / f"scratch-{ranks.rank()}"  # as in a stage, where every process has its own
    scratch.mkdir(parents=True, exist_ok=True)
    method = Method(**settings["method"])
    forward = Forward(0, device, Layout(row_tokens=spec.row_tokens))
    loggers = _loggers(spec, out, scratch) if settings["loggers"] else None
    trained = train(
        loaded.model, dataset, forward, spec, method, checkpoints, scratch, stop=stop, loggers=loggers
    )
    if trained.state is not None:
        trained.history.save(out)
        save_file(
            {name: tensor.contiguous() for name, tensor in trained.state.items()}, out / "weights.safetensors"
        )
        if trained.adapters is not None:
            export(loaded.model, loaded.processor, trained.state, out / "model", "", trained.adapters)
            export_adapter(trained.adapters, trained.state, out / "adapter", None, None)
        (out / "notes.json").write_text(json.dumps(trained.notes))
        (out / "resumed.json").write_text(json.dumps(trained.resumed_from))
    ranks.stop()


def _loggers(spec: Any, out: Path, scratch: Path) -> Any:
    from dama.storage.local import LocalStore
    from dama.train.loggers import Loggers
    from dama.train.tensorboard import EventFiles

    events = EventFiles(LocalStore(out), "runs/small/tensorboard", scratch)
    return Loggers(spec.report_to, "small", "0123456789abcdef" * 4, {"train": spec.model_dump()}, events)


def _poison(llava: Any, what: str, after: int) -> None:
    """Make gradients of the head infinite, or features of the projector NaN, after so many of them."""
    calls = 0

    def poisoned(value: Any, by: float) -> Any:
        nonlocal calls
        calls += 1
        return value * by if calls > after else value

    if what == "gradient":
        llava.lm_head.weight.register_hook(lambda gradient: poisoned(gradient, float("inf")))
    else:
        projector = llava.model.multi_modal_projector
        projector.register_forward_hook(lambda module, inputs, output: poisoned(output, float("nan")))


class HarmfulStore(LocalStore):
    """Kills its process group once the checkpoint of one step is committed; refuses the files of others."""

    def __init__(self, root: Path, killed: int | None, refused: Sequence[int]) -> None:
        super().__init__(root)
        self._killed = f"/{_step(killed)}/commit.json" if killed is not None else None
        self._refused = [f"/{_step(step)}/" for step in refused]

    def put_bytes(self, key: str, data: bytes) -> None:
        super().put_bytes(key, data)
        if self._killed is not None and key.endswith(self._killed):
            os.killpg(0, signal.SIGKILL)

    def put_file(self, key: str, path: Path, progress: Progress | None = None) -> None:
        if any(step in key for step in self._refused):
            raise StoreUnreachable("the store does not answer")
        super().put_file(key, path, progress)


def _step(step: int) -> str:
    return f"step-{step:06d}"


if __name__ == "__main__":
    live_as_child()
    leave(main(json.loads(Path(sys.argv[1]).read_text())))
