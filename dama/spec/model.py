"""Which model is aligned."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dama.spec.base import Digest, Part
from dama.spec.places import FolderUri


class HubModel(Part):
    """A model of the Hugging Face hub."""

    kind: Literal["hub"] = "hub"
    """Says that this is a model of the hub."""
    id: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    """Owner and name, as in `llava-hf/llava-1.5-7b-hf`."""
    revision: Annotated[str, Field(min_length=1)] = "main"
    """Branch, tag or commit. A run resolves it to a commit and records that."""


class LocalModel(Part):
    """A folder in Hugging Face layout (config.json, safetensors, processor)."""

    kind: Literal["local"] = "local"
    """Says that this is a folder."""
    path: FolderUri
    """The folder; relative paths start at the folder of the run file."""
    digest: Digest | None = None
    """sha256 over the folder's files; filled in when the run is frozen, refused when it differs."""


class MiniatureModel(Part):
    """The tiny LLaVA that stage `world` trains on the spot."""

    kind: Literal["miniature"] = "miniature"
    """Says that the miniature world makes the model."""


ModelSpec = Annotated[HubModel | LocalModel | MiniatureModel, Field(discriminator="kind")]
