"""TRL's DPOTrainer on the same folder, timed step by step, its settings those of our engine.

For images TRL refuses reference log-probabilities that were computed before, so it keeps a frozen copy of the
model and runs it in every step: that is what its users pay, and it is in the time.
"""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from trial import Peak, Trial

from dama.torchvision_cpu import declare_missing_operators


def trl(settings: dict[str, Any]) -> Trial:
    """Train and return the seconds from the end of each step to the end of the next."""
    declare_missing_operators()
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor, TrainerCallback
    from trl import DPOConfig, DPOTrainer

    class Watch(TrainerCallback):  # type: ignore[misc]
        """Notes when each step ended."""

        def __init__(self) -> None:
            self.ends: list[float] = []

        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            self.ends.append(time.perf_counter())

    folder = Path(settings["folder"])
    llava = AutoModelForImageTextToText.from_pretrained(folder / "llava", dtype=torch.float32)
    for name, parameter in llava.named_parameters():
        parameter.requires_grad_("vision_tower" not in name)
    watch = Watch()
    peak = Peak()  # the policy is loaded; the frozen copy that TRL adds is its own
    trainer = DPOTrainer(
        model=llava,
        args=DPOConfig(
            output_dir=settings["scratch"],
            per_device_train_batch_size=settings["train"]["batch"],
            max_steps=settings["steps"] + 1,
            gradient_checkpointing=settings["train"]["gradient_checkpointing"],
            optim="adamw_torch",
            learning_rate=1e-6,
            bf16=False,
            use_cpu=True,
            max_length=None,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=_dataset(folder),
        processing_class=AutoProcessor.from_pretrained(folder / "llava"),
        callbacks=[watch],
    )
    torch.set_num_threads(settings["threads"])
    trainer.train()
    seconds = [after - before for before, after in pairwise(watch.ends)]
    return Trial(seconds, peak.mib())


def _dataset(folder: Path) -> Any:
    from datasets import Dataset

    from dama.data.table import PreferenceTable

    table = PreferenceTable(folder / "data")
    images = table.images()
    return Dataset.from_list(
        [
            {
                "images": [images.open(preference.image)],
                "prompt": [{"role": "user", "content": preference.prompt}],
                "chosen": [{"role": "assistant", "content": preference.chosen}],
                "rejected": [{"role": "assistant", "content": preference.rejected}],
            }
            for preference in (table[index] for index in range(len(table)))
        ]
    )
