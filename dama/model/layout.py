"""Which layout of rows and which attention a model gets, and why.

Sharing a prefix asks three things of a language model: that a mask of our own is all that decides who sees
whom, that positions can be given, and that a hidden state depends on nothing but what it sees. Plain causal
full attention with rotary positions has all three. A sliding window is counted in rows, cross-attention
reaches the image past the mask, and attention both ways over the prompt is a mask of the model's own: such
families get the usual concatenated rows and their own masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

_SHARING_FAMILIES = ("llava", "vipllava")
_SHARING_TEXT = ("llama", "mistral", "qwen2", "qwen3")


@dataclass(frozen=True)
class Layout:
    """How a micro-batch becomes one forward."""

    shared: bool = True
    """Image and prompt once for all answers; else a row for each answer and the model's own masks."""
    attention: Literal["sdpa", "flex"] = "sdpa"
    """Implementation of the language model's attention."""
    row_tokens: int | None = None
    """Pack preferences into rows of at most so many tokens; None: one row a preference."""
    reason: str = ""
    """Why nothing is shared."""


def choose_layout(
    config: Any,  # noqa: ANN401 - a transformers configuration
    max_length: int,
    attention: Literal["sdpa", "flex"] = "sdpa",
    row_tokens: int | None = None,
) -> Layout:
    """Return the shared layout as asked for, or the concatenated one with the reason."""
    reason = why_not_shared(config, max_length)
    return (
        Layout(attention=attention, row_tokens=row_tokens) if reason is None else Layout(False, reason=reason)
    )


def why_not_shared(config: Any, max_length: int) -> str | None:  # noqa: ANN401
    """Return why a model's prefix cannot be shared, None when it can; nothing unknown is trusted."""
    text = config.get_text_config()
    window = getattr(text, "sliding_window", None)
    if window is not None and getattr(text, "use_sliding_window", True) and window < max_length:
        return f"its attention slides over a window of {window} tokens, counted along the row"
    kinds = {str(kind) for kind in getattr(text, "layer_types", None) or ()} - {"full_attention"}
    if kinds:
        return f"it has layers of {', '.join(sorted(kinds)).replace('_', ' ')}"
    if getattr(text, "cross_attention_layers", None):
        return "its text reaches the image by cross-attention, past the mask"
    rope = getattr(text, "rope_parameters", None) or getattr(text, "rope_scaling", None) or {}
    if "mrope_section" in rope:
        return "its positions have three coordinates, which the model itself makes from the image"
    if config.model_type not in _SHARING_FAMILIES or text.model_type not in _SHARING_TEXT:
        return f"family '{config.model_type}' with '{text.model_type}' is not known to be plainly causal"
    return None
