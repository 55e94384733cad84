"""Encoded images: fetched from a folder that they may not leave, checked before and by decoding."""

from __future__ import annotations

import io
import threading
import warnings
from pathlib import Path
from typing import Protocol

from PIL import Image, UnidentifiedImageError

from dama.data.row import RowFault
from dama.storage.base import Store, check_key

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
LARGEST_BYTES = 256 << 20
"""An encoded image of more bytes is a fault of its row."""


class ImageSource(Protocol):
    """Where the image paths of a dataset lead."""

    def read(self, name: str) -> bytes:
        """Return the bytes of one image; RowFault when it is missing, too large or outside."""
        ...


class ImageFolder:
    """Images below a local folder; a path that leaves it, by `..`, root or link, is refused."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def read(self, name: str) -> bytes:
        """Return the bytes of the image at `name`."""
        if not name or "\x00" in name or Path(name).is_absolute() or ".." in Path(name).parts:
            raise _outside(name)
        try:
            path = (self._root / name).resolve()
        except (OSError, RuntimeError) as error:  # links that go round in a circle
            raise RowFault("missing image", name) from error
        if not path.is_relative_to(self._root):
            raise _outside(name)
        try:
            if not path.is_file():
                raise RowFault("missing image", name)
            _check_size(path.stat().st_size, name)
            return path.read_bytes()
        except OSError as error:
            raise RowFault("missing image", f"{name}: {error.strerror}") from error


class StoreImages:
    """Images below the root of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, name: str) -> bytes:
        """Return the bytes of the image under the key `name`."""
        try:
            key = check_key(name)
        except ValueError as error:
            raise _outside(name) from error
        size = self._store.size(key)
        if size is None:
            raise RowFault("missing image", name)
        _check_size(size, name)
        return self._store.get_bytes(key)


def check_image(data: bytes, max_pixels: int) -> tuple[int, int]:
    """Return width and height in pixels of an encoded image that decodes to its end; RowFault otherwise.

    The header is looked at first, so an image of too many pixels is never decoded.
    """
    _check_size(len(data), "")
    try:
        with _QUIET, Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_pixels(image, max_pixels)
            image.convert("RGB")
            return image.size
    except RowFault:
        raise
    except Image.DecompressionBombError as error:
        raise RowFault("too many pixels", "more than Pillow opens") from error
    except UnidentifiedImageError as error:
        raise RowFault("undecodable image", f"none of {', '.join(FORMATS)}") from error
    except Exception as error:  # a decoder fed with broken bytes raises whatever it meets
        raise RowFault("undecodable image", str(error) or type(error).__name__) from error


def decode(data: bytes, max_pixels: int | None = None) -> Image.Image:
    """Return an encoded image as RGB; it has passed `check_image` before.

    Raises RowFault when it has more than `max_pixels` all the same, and what its decoder raises.
    """
    with _QUIET, Image.open(io.BytesIO(data), formats=FORMATS) as image:
        _check_pixels(image, max_pixels)
        return image.convert("RGB")


class _Quiet:
    """No warnings (Pillow's on odd metadata and large images) while anybody is inside.

    `warnings.catch_warnings` alone would mix up threads that come and go.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._caught.__exit__(None, None, None)


_QUIET = _Quiet()


def _check_pixels(image: Image.Image, most: int | None) -> None:
    width, height = image.size
    if most is not None and width * height > most:
        raise RowFault("too many pixels", f"{width} × {height}, at most {most} are allowed")


def _outside(name: str) -> RowFault:
    return RowFault("path leaves the image folder", repr(name[:200]))


def _check_size(size: int, name: str) -> None:
    if size > LARGEST_BYTES:
        raise RowFault("image file too large", f"{name} {size} bytes, at most {LARGEST_BYTES}".strip())
