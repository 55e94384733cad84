"""TRL's DPOTrainer on the data of a small training, in a process of its own: `trl_worker.py SETTINGS.json`.

A process of its own, because TRL patches the model's forward and sets library-wide defaults on import.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from dama.torchvision_cpu import declare_missing_operators

declare_missing_operators()

import torch  # noqa: E402 - after the operators are declared
from safetensors.torch import save_file  # noqa: E402
from trl import DPOConfig, DPOTrainer  # noqa: E402


class Recording(DPOTrainer):  # type: ignore[misc]
    """TRL's trainer as it is; what it reads and what loss it computes are written down beside it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.losses: list[float] = []
        self.read: list[dict[str, Any]] = []

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        names = ("input_ids", "attention_mask", "completion_mask")
        self.read.append({name: inputs[name].tolist() for name in names})
        loss = super().compute_loss(model, inputs, *args, **kwargs)
        self.losses.append(float(loss.detach()))
        return loss


def dataset(folder: Path, order: list[int]) -> Any:
    """Return the preferences in `order` as TRL documents them: images beside conversational turns."""
    from datasets import Dataset

    from dama.data.table import PreferenceTable

    table = PreferenceTable(folder / "data")
    images, rows = table.images(), []
    for index in order:
        preference = table[index]
        rows.append(
            {
                "images": [images.open(preference.image)],
                "prompt": [{"role": "user", "content": preference.prompt}],
                "chosen": [{"role": "assistant", "content": preference.chosen}],
                "rejected": [{"role": "assistant", "content": preference.rejected}],
            }
        )
    return Dataset.from_list(rows)


def main(settings: dict[str, Any]) -> None:
    """Train as told; leave losses, what was read, and weights in the folder `out`."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    torch.set_num_threads(1)
    folder, out = Path(settings["folder"]), Path(settings["out"])
    llava = AutoModelForImageTextToText.from_pretrained(folder / "llava", dtype=torch.float32)
    for name, parameter in llava.named_parameters():
        parameter.requires_grad_("vision_tower" not in name)  # as LLaVA-1.5 is trained; TRL's choice is free
    trainer = Recording(
        model=llava,
        args=DPOConfig(
            output_dir=str(out / "trl"),
            beta=settings["beta"],
            per_device_train_batch_size=settings["batch"],
            max_steps=settings["steps"],
            learning_rate=settings["learning_rate"],
            lr_scheduler_type="cosine",
            warmup_steps=settings["warmup_steps"],
            weight_decay=0.0,
            max_grad_norm=settings["max_grad_norm"],
            optim="adamw_torch",
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            train_sampling_strategy="sequential",
            max_length=None,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=dataset(folder, settings["order"]),
        processing_class=AutoProcessor.from_pretrained(folder / "llava"),
    )
    trainer.train()
    (out / "trl.json").write_text(json.dumps({"losses": trainer.losses, "read": trainer.read}))
    weights = {name: tensor.contiguous() for name, tensor in trainer.model.state_dict().items()}
    save_file(weights, out / "trl.safetensors")


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
