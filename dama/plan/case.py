"""What memory and time depend on: a model's shape, and the numbers of a run file that count.

Ψ   trained     parameters that move: all but the vision tower's, or adapters (and projector) with LoRA
Φ   frozen      all others
R   ranks       one a GPU
w   weight      bytes of a weight: 2 in bfloat16, 4 in float32
N, K            preferences of an optimizer batch, and those that are learned from
P, A            tokens of the prompt (image included) and of one answer
"""

from __future__ import annotations

from dataclasses import dataclass

from dama.model.shape import ModelShape
from dama.spec.lora import LoraSpec
from dama.spec.method import Dama, Mdpo
from dama.spec.run import RunSpec

PROMPT_TOKENS, ANSWER_TOKENS = 64, 100
"""Text of a prompt in its template, and an answer of RLAIF-V, by the mean; `dama plan` takes others."""
LONG = 2
"""Memory is reckoned for micro-batches whose answers are so many times as long as the mean."""
PAPER_PREFERENCES = 22_000
"""Preferences of RLAIF-V that the paper trained on."""


@dataclass(frozen=True)
class Case:
    """One run, as far as memory and time go."""

    shape: ModelShape
    ranks: int
    nodes: int
    stage: int
    """ZeRO's."""
    offload: bool
    weight: int
    batch: int
    per_device: int
    accumulation: int
    recompute: bool
    """Whether the run file asks for gradient checkpointing."""
    passes: str
    """one, two or auto."""
    separable: bool
    """Whether each preference's loss stands alone (dpo, d2po)."""
    kept: int
    prompt: int
    answer: int
    longest: int
    """Tokens of the answers that memory is reckoned for."""
    adapters: int
    """Parameters of LoRA's adapters, 0 without."""
    projector: bool
    """Whether the projector is trained; it always is without LoRA."""

    @property
    def trained(self) -> int:
        """Return Ψ."""
        if self.adapters:
            return self.adapters + self.projector * self.shape.projector
        return self.shape.trained

    @property
    def parameters(self) -> int:
        """Return Ψ + Φ."""
        return self.shape.parameters + self.adapters

    @property
    def steps_share(self) -> int:
        """Return the preferences that one rank has of an optimizer batch."""
        return self.batch // self.ranks


def case_of(
    spec: RunSpec,
    shape: ModelShape,
    prompt_tokens: int = PROMPT_TOKENS,
    answer_tokens: int = ANSWER_TOKENS,
    long: float = LONG,
) -> Case:
    """Return the case of a run file; `prompt_tokens` is the text alone, the image comes on top."""
    train, method = spec.train, spec.method
    prompt = min(shape.image_tokens + prompt_tokens, train.max_length - 1)
    room = train.max_length - prompt
    kept = train.batch
    if isinstance(method, Mdpo | Dama) and method.filter != "none":
        kept = min(method.keep, train.batch)
    return Case(
        shape=shape,
        ranks=train.ranks,
        nodes=spec.cluster.nodes,
        stage=train.zero.stage,
        offload=train.zero.offload and train.zero.stage > 0,
        weight=2 if train.dtype == "bfloat16" else 4,
        batch=train.batch,
        per_device=train.per_device_batch,
        accumulation=train.accumulation,
        recompute=train.gradient_checkpointing,
        passes=train.passes,
        separable=not isinstance(method, Mdpo | Dama),
        kept=kept,
        prompt=prompt,
        answer=min(answer_tokens, room),
        longest=min(int(answer_tokens * long), room),
        adapters=adapter_parameters(shape, train.lora) if train.lora else 0,
        projector=train.lora is None or train.lora.projector == "full",
    )


def adapter_parameters(shape: ModelShape, lora: LoraSpec) -> int:
    """Return the parameters of LoRA's adapters: rank · (in + out) for every layer's matrix that gets one."""
    text = shape.text
    queries, keys = text.heads * text.head_width, text.key_heads * text.head_width
    sizes = {
        "q_proj": text.width + queries,
        "k_proj": text.width + keys,
        "v_proj": text.width + keys,
        "o_proj": queries + text.width,
        "gate_proj": text.width + text.feed_forward,
        "up_proj": text.width + text.feed_forward,
        "down_proj": text.feed_forward + text.width,
    }
    names = list(sizes) if lora.targets == "text" else lora.targets
    return lora.rank * text.layers * sum(sizes.get(name, 0) for name in names)
