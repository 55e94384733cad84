"""How the model is trained: layout, schedule, precision, checkpoints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dama.spec.base import Fraction, Part, PositiveFloat, PositiveInt, Seed
from dama.spec.lora import LoraSpec


class Zero(Part):
    """DeepSpeed's ZeRO."""

    stage: Literal[0, 1, 2, 3] = 3
    """What is cut over the ranks: 1 optimizer state, 2 and gradients, 3 and weights."""
    offload: bool = False
    """Keep optimizer state in the host's memory."""


class TrainSpec(Part):
    """One optimizer batch is `batch` = ranks × per_device_batch × accumulation preferences."""

    batch: PositiveInt = 16
    """N: preferences in an optimizer batch, over all ranks."""
    ranks: PositiveInt = 4
    """Processes, one a GPU."""
    per_device_batch: PositiveInt = 4
    """Preferences that a rank runs forward and backward at a time."""
    accumulation: PositiveInt = 1
    """Micro-batches a rank runs for one optimizer step; statistics still cover the whole batch."""
    device: Literal["cuda", "cpu"] = "cuda"
    """Where to train."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Precision of weights in the forward; log-probabilities are summed in float32 always."""
    epochs: PositiveFloat = 4.0
    """Passes over the data, unless `max_steps` is given."""
    max_steps: PositiveInt | None = None
    """Optimizer steps, whatever the data's size."""
    learning_rate: PositiveFloat = 5e-7
    """Peak learning rate."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """Shape of the learning rate after the warm-up."""
    warmup: Fraction = 0.1
    """Share of the steps over which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """AdamW's weight decay."""
    max_grad_norm: PositiveFloat = 1.0
    """Gradients are scaled down to this norm."""
    max_length: PositiveInt = 2048
    """Tokens of prompt (with image tokens) and one answer; `over_long` says what happens to longer ones."""
    zero: Zero = Zero()
    """Memory sharing between ranks."""
    gradient_checkpointing: bool = True
    """Compute activations again in the backward, for less memory."""
    save_every_steps: PositiveInt = 100
    """Steps between checkpoints."""
    keep_last: PositiveInt = 2
    """Checkpoints that are kept."""
    seed: Seed = 0
    """Seed of shuffling, dropout and the release reading's draw."""
    threads: PositiveInt | None = None
    """CPU threads a rank; what the machine gives, shared between ranks, if left out."""
    passes: Literal["one", "two", "auto"] = "auto"
    """Forward and backward of all at once, or gaps first and then the kept only; auto takes the cheaper."""
    attention: Literal["sdpa", "flex"] = "sdpa"
    """Dense masks on any device, or FlexAttention, which skips what nobody sees (CUDA and a C compiler)."""
    row_tokens: PositiveInt | None = None
    """Pack preferences into rows of at most so many tokens; one row a preference if left out."""
    over_long: Literal["cut", "quarantine"] = "cut"
    """What happens to a preference whose answers pass max_length; image tokens are never cut."""
    lora: LoraSpec | None = None
    """Train adapters instead of all weights; `{}` for the defaults. They want a learning rate some 10 to 100
    times as large (LLaVA's LoRA for preferences: 1e-6 to 5e-5)."""
    report_to: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ("tensorboard",)
    """Who is told of every step beside the progress line; TensorBoard's files lie in the run's folder of the
    store. Has no say in what is trained."""
    save_every_minutes: PositiveFloat | None = None
    """Minutes between checkpoints as well, whichever comes first; only steps count if left out."""
    limit_minutes: PositiveFloat | None = None
    """Save, stop and end with exit code 75 after so many minutes of this start; `dama run` starts again."""
    workers: Annotated[int, Field(ge=0)] | None = None
    """Processes a rank that read and encode ahead; 2 on GPUs and none on CPUs if left out."""
