"""The text a model reads: one image, one prompt, and an answer, in the model's own chat template."""

from __future__ import annotations

from typing import Any


def _turns(prompt: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]


def prompt_text(processor: Any, prompt: str) -> str:  # noqa: ANN401 - a transformers processor
    """Return image placeholder and prompt, up to where the answer starts."""
    return str(processor.apply_chat_template(_turns(prompt), add_generation_prompt=True, tokenize=False))


def full_text(processor: Any, prompt: str, answer: str) -> str:  # noqa: ANN401 - a transformers processor
    """Return prompt and answer as the template joins them, without what it puts behind the answer."""
    turns = [*_turns(prompt), {"role": "assistant", "content": [{"type": "text", "text": answer}]}]
    text = str(processor.apply_chat_template(turns, add_generation_prompt=False, tokenize=False))
    end = text.rfind(answer)
    return text[: end + len(answer)] if end >= 0 else text
