"""Which preferences are learned from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dama.spec.base import Digest, Part, PositiveInt
from dama.spec.places import SourceUri


class _Dataset(Part):
    limit: PositiveInt | None = None
    """Read only the first so many rows."""
    strict: bool = False
    """Stop at the first row that cannot be used, instead of putting it into quarantine."""
    max_pixels: PositiveInt = 50_000_000
    """Images with more pixels than this are quarantined before they are decoded."""
    digest: Digest | None = None
    """sha256 of the source files; filled in when the run is frozen, refused when it differs."""


class RlaifV(_Dataset):
    """Parquet as the RLAIF-V dataset has it: image (struct of bytes, path), question, chosen, rejected."""

    kind: Literal["rlaif-v"] = "rlaif-v"
    """Says that this is RLAIF-V's parquet."""
    uri: SourceUri
    """A file or folder (path, file://, s3://) or `hf://owner/name@revision`."""
    split: str = "train"
    """Split of a hub dataset."""


class Jsonl(_Dataset):
    """One JSON object a line: image (path below `images`), prompt, chosen, rejected, and by choice id."""

    kind: Literal["jsonl"] = "jsonl"
    """Says that this is JSONL."""
    uri: SourceUri
    """The JSONL file."""
    images: SourceUri | None = None
    """The folder that image paths start at; the JSONL file's own folder if left out."""


class Conversations(_Dataset):
    """TRL's conversational columns (parquet or JSONL): images; prompt, chosen, rejected as messages."""

    kind: Literal["conversations"] = "conversations"
    """Says that these are conversations."""
    uri: SourceUri
    """A parquet or JSONL file, or `hf://owner/name@revision`."""
    images: SourceUri | None = None
    """The folder that image paths start at; the file's own folder if left out."""
    split: str = "train"
    """Split of a hub dataset."""


class MiniatureData(_Dataset):
    """The preferences that stage `world` samples from the tiny LLaVA."""

    kind: Literal["miniature"] = "miniature"
    """Says that the miniature world makes the preferences."""


DataSpec = Annotated[RlaifV | Jsonl | Conversations | MiniatureData, Field(discriminator="kind")]
