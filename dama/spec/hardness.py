"""How hard a preference is: responses to facts, facts to scores, scores to alpha_data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dama.spec.base import Digest, Part, PositiveInt


class RuleFacts(Part):
    """Facts are the sentences of a response, found by rules."""

    engine: Literal["rules"] = "rules"
    """Says that rules find the facts."""
    language: str = "en"
    """Language of the responses, as a two-letter code."""
    max_characters: PositiveInt = 20_000
    """A longer response is cut there and flagged."""


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


FactsSpec = Annotated[RuleFacts, Field()]
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
