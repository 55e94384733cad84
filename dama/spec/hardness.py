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
    """An open_clip model name; `local` when `weights` is a folder that says itself."""
    weights: str = "openai"
    """A pretrained tag of open_clip, or a folder (open_clip_config.json, safetensors, tokenizer) written as
    `./folder`, `/folder` or `~/folder`."""
    digest: Digest | None = None
    """sha256 over a local folder's files; filled in when the run is frozen, refused when it differs."""
    batch: PositiveInt = 64
    """Images, and facts, encoded at a time."""
    over_length: Literal["truncate", "refuse"] = "truncate"
    """A fact of more tokens than the model reads: cut and flagged, or the stage fails."""


class MiniatureScorer(Part):
    """Facts are scored by the tiny CLIP (an open_clip model) that stage `world` trains."""

    engine: Literal["miniature"] = "miniature"
    """Says that the tiny CLIP scores."""
    batch: PositiveInt = 256
    """Images, and facts, encoded at a time."""
    over_length: Literal["truncate", "refuse"] = "truncate"
    """A fact of more tokens than the model reads: cut and flagged, or the stage fails."""


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
