"""DeepSpeed's configuration from the run file, and what its engine does differently here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from dama.errors import TrainingError
from dama.spec.train import TrainSpec


def configuration(train: TrainSpec) -> dict[str, Any]:
    """Return DeepSpeed's JSON for one rank's whole share of an optimizer batch.

    The trainer cuts the share into micro-batches itself, so DeepSpeed is told of no accumulation. Its
    average over ranks is undone by the trainer, whose loss is a mean over the kept of all ranks.
    """
    zero: dict[str, Any] = {"stage": train.zero.stage}
    if train.zero.stage == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    if train.zero.offload and train.zero.stage:
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": True}
    return {
        "train_batch_size": train.batch,
        "train_micro_batch_size_per_gpu": train.batch // train.ranks,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": train.max_grad_norm,
        "zero_optimization": zero,
        "bf16": {"enabled": train.dtype == "bfloat16"},
        "optimizer": {
            "type": "AdamW",
            "params": {
                "lr": train.learning_rate,
                "betas": [0.9, 0.999],
                "eps": 1e-8,
                "weight_decay": train.weight_decay,
                "torch_adam": True,  # torch's own AdamW: DeepSpeed's would be compiled at the first start
            },
        },
        "steps_per_print": 2**31,
        "zero_allow_untested_optimizer": True,
    }


def adapted(engine: Any) -> None:  # noqa: ANN401 - DeepSpeedEngine
    """Make the engine leave frozen weights out of checkpoints, and know its gradient's norm at every stage.

    Frozen weights (the vision tower; with LoRA nearly all) are those of the starting model, which a resumed
    run has loaded anyway. Reading checks that every trained weight is there.
    """
    engine.save_checkpoint = partial(engine.save_checkpoint, exclude_frozen_parameters=True)
    engine.load_module_state_dict = partial(_load_trained, engine, engine.load_module_state_dict)
    engine.clip_fp32_gradients = partial(_clip_and_remember, engine)


def _load_trained(engine: Any, load: Any, checkpoint: Any, strict: bool = True, **rest: Any) -> None:  # noqa: ANN401
    trained = {name for name, parameter in engine.module.named_parameters() if parameter.requires_grad}
    if missing := sorted(trained - checkpoint["module"].keys()):
        raise TrainingError(
            f"the checkpoint lacks {len(missing)} trained weights (first: {missing[0]})",
            wanted="a checkpoint of this very training",
            do="delete it; an older one or the start is used",
        )
    load(checkpoint=checkpoint, strict=False, **rest)


def _clip_and_remember(engine: Any) -> None:  # noqa: ANN401
    """Clip as DeepSpeed does without ZeRO in float32, where it drops the norm it has found."""
    from deepspeed.runtime.utils import clip_grad_norm_

    norm = clip_grad_norm_(engine.module.parameters(), engine.gradient_clipping(), mpu=engine.mpu)
    engine._global_grad_norm = float(norm)


@contextmanager
def cut_while_loading(train: TrainSpec) -> Iterator[None]:
    """ZeRO 3 on several ranks: a model that is loaded inside is cut over the ranks module by module.

    No rank then ever holds all of it, on its GPU or in the host's memory: the first rank's tensors are read
    from the mapped files and passed on. Weights come out the same to the bit. Elsewhere nothing happens.
    """
    if train.zero.stage != 3 or train.ranks == 1:
        yield
        return
    import deepspeed
    from transformers.integrations import HfDeepSpeedConfig

    deepspeed.init_distributed()
    seen_by_transformers = HfDeepSpeedConfig(configuration(train))  # it looks for the living object
    yield
    del seen_by_transformers
