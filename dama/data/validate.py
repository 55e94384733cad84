"""Whether a row is a preference that can be learned from; if not, why."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dama.data.images import ImageSource, check_image
from dama.data.row import Draft, Row, RowFault
from dama.records import Preference

IMAGE_MARK = "<image>"


@dataclass
class Judge:
    """Turns rows into preferences; remembers ids and the images that it has decoded already."""

    draft: Callable[[Row], Draft]
    max_pixels: int
    images: ImageSource | None = None
    """Where paths lead; None when the source carries its images."""
    _ids: set[str] = field(default_factory=set)
    _sound: set[str] = field(default_factory=set)

    def judge(self, row: Row) -> tuple[Preference, bytes]:
        """Return the preference and its encoded image; RowFault says why there is none."""
        if row.fault is not None:
            raise row.fault
        draft = self.draft(row)
        name = row_id(row, draft)
        if name in self._ids:
            raise RowFault("repeated id", repr(name))
        prompt = _without_mark(_text(draft.prompt, "prompt"))
        chosen, rejected = _text(draft.chosen, "chosen"), _text(draft.rejected, "rejected")
        for column, text in (("prompt", prompt), ("chosen", chosen), ("rejected", rejected)):
            if not text.strip():
                raise RowFault(f"empty {column}")
            if IMAGE_MARK in text:
                raise RowFault("image mark in text", f"{column} holds {IMAGE_MARK}")
        if chosen.strip() == rejected.strip():
            raise RowFault("chosen equals rejected")
        data = self._bytes(draft.image)
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._sound:
            check_image(data, self.max_pixels)
            self._sound.add(digest)
        self._ids.add(name)
        source = draft.source if isinstance(draft.source, str) and _encodes(draft.source) else ""
        return Preference(name, digest, prompt, chosen, rejected, source), data

    def name(self, row: Row) -> str:
        """Return what to call a row that may be unreadable."""
        try:
            return row_id(row, self.draft(row)) if row.fault is None else _numbered(row)
        except RowFault:
            return _numbered(row)

    def _bytes(self, image: Any) -> bytes:  # noqa: ANN401 - a file's own value
        if isinstance(image, dict):
            data, path = image.get("bytes"), image.get("path")
            image = data if data else path if self.images is not None else None
        if image is None or image == b"" or image == "":
            raise RowFault("missing image")
        if isinstance(image, bytes):
            return image
        if isinstance(image, str) and self.images is not None:
            return self.images.read(image)
        raise RowFault("wrong type", f"image is a {type(image).__name__}")


def image_path(image: Any) -> str | None:  # noqa: ANN401 - a file's own value
    """Return the path that a row's image field names, None when it carries the bytes or is none."""
    if isinstance(image, dict):
        image = None if image.get("bytes") else image.get("path")
    return image if isinstance(image, str) and image else None


def row_id(row: Row, draft: Draft) -> str:
    """Return the row's own id, or one made from its number; RowFault when its own is none."""
    own = draft.own_id
    if own is None:
        name = _numbered(row) + draft.suffix
        return name if _encodes(name) else _numbered(row)
    if isinstance(own, bool) or not isinstance(own, int | str) or not str(own).strip():
        raise RowFault("wrong type", f"id is {own!r:.80}, a number or a non-empty text is wanted")
    if not _encodes(str(own)):
        raise RowFault("not UTF-8", "id")
    return str(own)


def _numbered(row: Row) -> str:
    return f"row-{row.number:07d}"


def _text(value: Any, column: str) -> str:  # noqa: ANN401 - a file's own value
    if value is None:
        raise RowFault(f"empty {column}")
    if not isinstance(value, str):
        raise RowFault("wrong type", f"{column} is a {type(value).__name__}, text is wanted")
    if not _encodes(value):
        raise RowFault("not UTF-8", f"{column} holds half a surrogate pair")
    return value


def _without_mark(prompt: str) -> str:
    """Drop image marks in front of or behind a prompt: the model's own template sets the image's place."""
    text = prompt.strip()
    if not (text.startswith(IMAGE_MARK) or text.endswith(IMAGE_MARK)):
        return prompt
    while text.startswith(IMAGE_MARK) or text.endswith(IMAGE_MARK):
        text = text.removeprefix(IMAGE_MARK).removesuffix(IMAGE_MARK).strip()
    return text


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
