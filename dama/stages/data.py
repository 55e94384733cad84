"""Stage `data`: the dataset of the run file as preferences, images and a quarantine."""

from __future__ import annotations

from typing import Any

from dama.errors import DataError
from dama.spec.data import MiniatureData
from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext, with_world
from dama.stages.progress import progress


def _key(spec: RunSpec) -> dict[str, Any]:
    """Return what names the data: its digest, not its place; the address only on the hub or unfrozen."""
    data = spec.data
    key = data.model_dump(mode="json", include={"kind", "limit", "strict", "max_pixels", "split"})
    if isinstance(data, MiniatureData):
        return key
    key["digest"] = data.digest
    if data.digest is None or data.uri.startswith("hf://"):
        key |= {"uri": data.uri, "images": getattr(data, "images", None)}
    return key


def _run(context: StageContext) -> dict[str, Any]:
    from dama.data.fingerprint import source_fingerprint
    from dama.data.ingest import ingest
    from dama.data.source import open_source

    data = context.spec.data
    source = open_source(data, context.spec.storage, context.scratch, context.inputs.get("world"))
    if not isinstance(data, MiniatureData) and data.digest is not None:
        found = source_fingerprint(source)
        if found != data.digest:
            raise DataError(
                f"the data at {data.uri} changed since the run was frozen (sha256 {found[:12]}…)",
                wanted=f"{data.digest[:12]}…",
                do="restore the data, or start a new run on what is there now",
            )
    with progress("rows read", data.limit) as advance:
        return ingest(source.rows(), source.judge(), context.out, strict=data.strict, advance=advance)


STAGE = Stage(
    name="data",
    version=1,
    reads=lambda spec: with_world(spec, used=spec.data.kind == "miniature"),
    key=_key,
    run=_run,
    title="read and check the preferences",
)
