"""Our engine as people run it: `dama.train.run.train` with the Trainer and DeepSpeed, timed step by step."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from trial import Peak, Trial


def engine(settings: dict[str, Any]) -> Trial:
    """Train and return the seconds from the end of one step to the end of the next, the first step left out.

    `train` and `method` are parts of a run file; what switches the passes is a key of `train`.
    """
    from dama.spec.train import TrainSpec
    from dama.train import ranks
    from dama.train.begin import begin

    spec = TrainSpec.model_validate(
        {
            "ranks": 1,
            "device": "cpu",
            "dtype": "float32",
            "max_steps": settings["steps"] + 1,
            "max_length": 2048,
            "zero": {"stage": 0},
            "threads": settings["threads"],
            "save_every_steps": 10**6,
            **settings["train"],
        }
    )
    device = begin(spec)

    from pydantic import TypeAdapter

    from dama.data.table import PreferenceTable
    from dama.model.encode import Encoder
    from dama.model.load import load_model
    from dama.spec.method import MethodSpec
    from dama.storage.local import LocalStore
    from dama.train.checkpoint import Checkpoints
    from dama.train.dataset import Preferences
    from dama.train.forward import Forward
    from dama.train.reference import read_reference
    from dama.train.run import method_of, train

    folder, scratch = Path(settings["folder"]), Path(settings["scratch"])
    loaded = load_model(folder / "llava")
    dataset = Preferences(
        PreferenceTable(folder / "data"),
        Encoder(loaded.processor, spec.max_length),
        reference=read_reference(folder / "reference"),
    )
    method = method_of(TypeAdapter[Any](MethodSpec).validate_python(settings["method"]))
    checkpoints = Checkpoints(LocalStore(scratch / "store"), "train", spec.keep_last)
    pad = loaded.processor.tokenizer.pad_token_id
    ends: list[float] = []
    peak = Peak()
    train(
        loaded.model,
        dataset,
        Forward(pad, device),
        spec,
        method,
        checkpoints,
        scratch,
        lambda done: ends.append(time.perf_counter()),
    )
    ranks.stop()
    seconds = [after - before for before, after in zip(ends, ends[1:], strict=False)]
    return Trial(seconds, peak.mib())
