"""Our engine as people run it: `dama.train.run.train` with the Trainer and DeepSpeed, timed step by step."""

from __future__ import annotations

import logging
import time
from itertools import pairwise
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
    from dama.model.layout import choose_layout
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
    layout = choose_layout(loaded.model.config, spec.max_length, spec.attention, spec.row_tokens)
    ends: list[float] = []
    said = _Said()
    peak = Peak()
    train(
        loaded.model,
        dataset,
        Forward(pad, device, layout),
        spec,
        method,
        checkpoints,
        scratch,
        lambda done, note: ends.append(time.perf_counter()),
    )
    ranks.stop()
    seconds = [after - before for before, after in pairwise(ends)]
    return Trial(seconds, peak.mib(), said.passes)


class _Said(logging.Handler):
    """Hears which passes the engine chose, and why, from its own log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.passes = ""
        logger = logging.getLogger("dama.train.trainer")
        logger.setLevel(logging.INFO)
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line about passes."""
        text = record.getMessage()
        if "pass" in text:
            self.passes = text
