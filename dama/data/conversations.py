"""TRL's conversational columns: images, prompt, chosen, rejected, each text a list of messages."""

from __future__ import annotations

from typing import Any

from dama.data.row import Draft, Row, RowFault, required

COLUMNS = ("images", "prompt", "chosen", "rejected")
OPTIONAL = ("id", "source")


def draft(row: Row) -> Draft:
    """Return the preference of one row: one image, one user message, one assistant message a side.

    Raises RowFault for several images, several turns or a system message, for a preference has one question.
    """
    values = row.values
    return Draft(
        image=_only_image(required(values, "images")),
        prompt=_text(required(values, "prompt"), "prompt", "user"),
        chosen=_text(required(values, "chosen"), "chosen", "assistant"),
        rejected=_text(required(values, "rejected"), "rejected", "assistant"),
        own_id=values.get("id"),
        source=values.get("source") or "",
    )


def _only_image(images: Any) -> Any:  # noqa: ANN401 - a file's own value
    if not isinstance(images, list):
        return images
    if len(images) != 1:
        raise RowFault("missing image" if not images else "several images", f"{len(images)}, one is wanted")
    return images[0]


def _text(messages: Any, column: str, role: str) -> str:  # noqa: ANN401 - a file's own value
    if not isinstance(messages, list) or len(messages) != 1 or not isinstance(messages[0], dict):
        found = f"{len(messages)} messages" if isinstance(messages, list) else f"a {type(messages).__name__}"
        raise RowFault("wrong type", f"{column} is {found}, a list of one message is wanted")
    message = messages[0]
    if message.get("role") != role:
        raise RowFault("wrong type", f"{column} is spoken by {message.get('role')!r}, '{role}' is wanted")
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise RowFault("wrong type", f"content of {column} is a {type(content).__name__}")
    return "\n".join(text for part in content if (text := _part(part, column)) is not None)


def _part(part: Any, column: str) -> str | None:  # noqa: ANN401 - a file's own value
    """Return a part's text, None for the image's place, which the model's own template sets."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "image":
        return None
    if kind == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    raise RowFault("wrong type", f"content of {column} has a part that is neither text nor image")
