"""The images of a run's pods, where they are not those of the lock."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from dama.spec.base import Part

Image = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z0-9][A-Za-z0-9.-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*"
        r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$",
        max_length=500,
    ),
]
"""An image: registry, path, tag, digest."""


class ImagesSpec(Part):
    """Images by digest; what is left out is taken from the lock that `make push` writes."""

    preprocess: Image | None = None
    """For preprocessing: vLLM, CLIP."""
    train: Image | None = None
    """For training and evaluating: torch, DeepSpeed."""
    control: Image | None = None
    """For the release Job: no torch."""
    store: Image | None = None
    """The S3 server (versitygw) that comes along where `storage.uri` is left out."""
    allow_mutable_tags: bool = False
    """Allow images without a digest, whose bytes may change between one pod and the next."""
    pull: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When nodes pull."""
