"""One rank of a small training, started by torchrun from the tests: `worker.py SETTINGS.json`."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any


def main(settings: dict[str, Any]) -> None:
    """Train as told and leave metrics, gaps and weights in the folder `out`."""
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
    from dama.stages.torchrun import leave
    from dama.storage.local import LocalStore
    from dama.train.checkpoint import Checkpoints
    from dama.train.dataset import Preferences
    from dama.train.export import export, export_adapter
    from dama.train.forward import Forward
    from dama.train.reference import read_reference
    from dama.train.run import train

    folder, out = Path(settings["folder"]), Path(settings["out"])
    loaded = load_model(folder / "llava")
    dataset = Preferences(
        PreferenceTable(folder / "data"),
        Encoder(loaded.processor, spec.max_length),
        reference=read_reference(folder / "reference"),
        alpha_data=json.loads((folder / "alpha.json").read_text()),
    )
    checkpoints = Checkpoints(LocalStore(out), "train", spec.keep_last)
    if "kill_after" in settings and ranks.rank() == 0:
        _kill_after(checkpoints, settings["kill_after"])
    if "poison" in settings and ranks.rank() == 0:
        _poison(loaded.model, **settings["poison"])
    scratch = out / f"scratch-{ranks.rank()}"  # as in a stage, where every process has its own
    scratch.mkdir(parents=True, exist_ok=True)
    method = Method(**settings["method"])
    trained = train(
        loaded.model,
        dataset,
        Forward(0, device, Layout(row_tokens=spec.row_tokens)),
        spec,
        method,
        checkpoints,
        scratch,
        loggers=_loggers(spec, out, scratch) if settings.get("loggers") else None,
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
    if ranks.world() > 1:
        leave(0)


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


def _kill_after(checkpoints: Any, step: int) -> None:
    """Die by SIGKILL, all ranks, as soon as the checkpoint of `step` is committed."""
    save = checkpoints.save

    def saving(at: int, *args: Any) -> None:
        save(at, *args)
        if at == step:
            os.killpg(0, signal.SIGKILL)

    checkpoints.save = saving


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
