"""How hard a preference is: responses to facts, facts to scores, scores to alpha_data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AnyHttpUrl, Field, model_validator

from dama.spec.base import Digest, EnvName, Fraction, Part, PositiveInt
from dama.spec.endpoint import EndpointPart
from dama.spec.model import HubModel, ModelSpec
from dama.spec.presets import SPLITTERS


class RuleFacts(Part):
    """Facts are the sentences of a response, found by rules."""

    engine: Literal["rules"] = "rules"
    """Says that rules find the facts."""
    language: str = "en"
    """Language of the responses, as a two-letter code."""
    max_characters: PositiveInt = 20_000
    """A longer response is cut there and flagged."""


class AskedFacts(Part):
    """Facts are what a language model makes of a response, asked with a fixed instruction."""

    language: str = "en"
    """Language of the responses, as a two-letter code, for the rules that take over where a reply fails."""
    max_characters: PositiveInt = 20_000
    """A longer response, or question, is cut there and flagged."""
    max_facts: PositiveInt = 64
    """Facts of one response at most; a reply of more cannot be used."""
    reply_tokens: PositiveInt = 2048
    """A reply ends there at the latest; one that was cut off cannot be used."""


class VllmFacts(AskedFacts):
    """Facts are asked of a language model that vLLM runs in this process, without a server."""

    engine: Literal["vllm"] = "vllm"
    """Says that vLLM's offline engine finds the facts."""
    model: ModelSpec = HubModel.model_validate(SPLITTERS["qwen2.5-7b"])
    """An instruction model; `qwen2.5-7b`, `llama-3-8b` (gated), `tiny`, or written out."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """Numbers the model computes in; `auto` is what its weights are kept in."""
    context_tokens: PositiveInt = 8192
    """Tokens of question, response and reply together, at most what the model reads."""
    gpu_memory: Fraction = 0.9
    """Share of the GPU's memory that the engine takes while it works."""

    @model_validator(mode="after")
    def _room_to_ask(self) -> VllmFacts:
        if self.reply_tokens >= self.context_tokens:
            raise ValueError(
                f"reply_tokens {self.reply_tokens} leaves no room to ask, with context_tokens "
                f"{self.context_tokens}"
            )
        return self


class ServedFacts(AskedFacts, EndpointPart):
    """Facts are asked of a language model behind an OpenAI-compatible endpoint, such as `vllm serve`."""

    engine: Literal["served"] = "served"
    """Says that an endpoint finds the facts."""
    base_url: AnyHttpUrl
    """The endpoint (…/v1)."""
    key_env: EnvName | None = None
    """Name (never the value) of the environment variable with the key; null where no key is needed."""
    concurrency: PositiveInt = 32
    """Requests under way at a time."""


class OpenClipScorer(Part):
    """Facts are scored by an open_clip model; scores are scaled logits (logit_scale · cosine)."""

    engine: Literal["open_clip"] = "open_clip"
    """Says that open_clip scores."""
    model: str = "ViT-L-14-336"
    """An open_clip model name; a folder of `weights` says itself which model it is (write `local`)."""
    weights: str = "openai"
    """A pretrained tag of open_clip, or a folder (open_clip_config.json, safetensors, tokenizer) written as
    `./folder`, `/folder` or `~/folder`."""
    digest: Digest | None = None
    """sha256 over a local folder's files; filled in when the run is frozen, refused when it differs."""
    batch: PositiveInt = 64
    """Images, and facts of full length, encoded at a time; of shorter facts as many as fill the same room."""
    over_length: Literal["truncate", "split", "refuse"] = "truncate"
    """A fact of more tokens than the model reads: cut and flagged; or split into pieces whose mean score it
    gets, and flagged; or the stage fails."""
    precision: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Numbers the model computes in; `auto` is float16 on a GPU, float32 without."""
    device: Literal["auto", "cuda", "cpu"] = "auto"
    """Where the model computes; `auto` is a GPU where there is one."""
    revision: Annotated[str, Field(min_length=1)] | None = None
    """Branch, tag or commit of the hub repository that a tag's weights come from. A run resolves it to a
    commit and records that; for the default weights it is known."""


class MiniatureScorer(Part):
    """Facts are scored by the tiny CLIP (an open_clip model) that stage `world` trains."""

    engine: Literal["miniature"] = "miniature"
    """Says that the tiny CLIP scores."""
    batch: PositiveInt = 256
    """Images, and facts of full length, encoded at a time; of shorter facts as many as fill the same room."""
    over_length: Literal["truncate", "split", "refuse"] = "truncate"
    """A fact of more tokens than the model reads: cut and flagged; or split into pieces whose mean score it
    gets, and flagged; or the stage fails."""
    precision: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Numbers the model computes in; `auto` is float16 on a GPU, float32 without."""
    device: Literal["auto", "cuda", "cpu"] = "auto"
    """Where the model computes; `auto` is a GPU where there is one."""


FactsSpec = Annotated[RuleFacts | VllmFacts | ServedFacts, Field(discriminator="engine")]
ScorerSpec = Annotated[OpenClipScorer | MiniatureScorer, Field(discriminator="engine")]


class HardnessSpec(Part):
    """Data hardness δ and the data-aware factor α_D (paper, Eqs 3-7)."""

    facts: FactsSpec = RuleFacts()
    """Who splits a response into facts."""
    scorer: ScorerSpec = OpenClipScorer()
    """Who scores a fact against the image."""
    form: Literal["probabilities", "scores"] = "probabilities"
    """δ from the softmax over both answers' scores (Eqs 4-5), or the ablation ΣC_w / ΣC_l."""
    aggregate: Literal["sum", "mean"] = "sum"
    """Sum over facts as the paper does, or the mean, which leans less on the answers' lengths."""
