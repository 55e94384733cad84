"""Addresses as a run file writes them: local folders, `file://`, `s3://` and `hf://`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_S3 = re.compile(r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^?#]*)?$")
_HUB = re.compile(r"^hf://[\w.-]+/[\w.-]+(@[\w./-]+)?$")


def _scheme(text: str) -> str:
    return text.split("://", 1)[0] if "://" in text else ""


def check_store(text: str) -> str:
    """Return `text` if it is a place to keep artifacts; ValueError says what is wrong with it."""
    return _check(text, {"": None, "file": None, "s3": _S3})


def check_folder(text: str) -> str:
    """Return `text` if it is a place on this machine; ValueError says what is wrong with it."""
    return _check(text, {"": None, "file": None})


def check_source(text: str) -> str:
    """Return `text` if it is a place to read a dataset from; ValueError says what is wrong with it."""
    return _check(text, {"": None, "file": None, "s3": _S3, "hf": _HUB})


def _check(text: str, allowed: dict[str, re.Pattern[str] | None]) -> str:
    shapes = {
        "": "a path",
        "file": "file:///folder",
        "s3": "s3://bucket/prefix",
        "hf": "hf://owner/name@revision",
    }
    wanted = ", ".join(shapes[scheme] for scheme in allowed)
    scheme = _scheme(text)
    if not text.strip() or "\x00" in text:
        raise ValueError(f"an address cannot be empty; write {wanted}")
    if scheme not in allowed:
        raise ValueError(f"unknown scheme '{scheme}://'; write {wanted}")
    pattern = allowed[scheme]
    if pattern is not None and not pattern.match(text):
        raise ValueError(f"not well formed; write {shapes[scheme]}")
    return text


FolderUri = Annotated[str, AfterValidator(check_folder)]
StoreUri = Annotated[str, AfterValidator(check_store)]
SourceUri = Annotated[str, AfterValidator(check_source)]
