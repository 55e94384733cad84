"""`dama doctor`: is everything there that a run needs, before anything is spent?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from dama.cli.arguments import Context, Namespace, Overrides, RunFile, console

if TYPE_CHECKING:
    from dama.cluster.doctor import Finding
    from dama.spec.run import RunSpec

_MARKS = {"ok": "[green]ok     [/]", "wrong": "[red]wrong  [/]", "unknown": "[yellow]unknown[/]"}


def doctor(
    runfile: RunFile,
    overrides: Overrides = [],  # noqa: B006 - typer's way
    namespace: Namespace = None,
    context: Context = None,
    inside: Annotated[
        bool, typer.Option("--inside", help="In a pod of the run: check its bucket and the operator's API.")
    ] = False,
) -> None:
    """Check cluster, queue, GPUs, Secrets, your rights, images and bucket for RUNFILE, and say what to mend.

    Exit code 1 when something is wrong. The bucket is checked from here where its keys are in the
    environment, and from inside the cluster by `helm test`.
    """
    from rich.markup import escape

    out, wrong = console(), False
    for finding in _inside(runfile) if inside else _outside(runfile, overrides, namespace, context):
        wrong = wrong or finding.verdict == "wrong"
        mend = f"; to mend: {finding.do}" if finding.do else ""
        out.print(f"{_MARKS[finding.verdict]} {escape(finding.found + mend)}", emoji=False)
    if wrong:
        raise typer.Exit(1)


def _outside(
    runfile: RunFile, overrides: Overrides, namespace: str | None, context: str | None
) -> Iterator[Finding]:
    from dama.cli.submit import reached
    from dama.cluster.doctor import examine, examine_images
    from dama.manifests.placed import brings_store, variables
    from dama.manifests.render import render

    cluster, spec = reached(runfile, overrides, namespace, context)
    yield from examine(cluster, spec, render(spec))
    yield from examine_images(spec.images)
    if brings_store(spec):
        return
    lacking = sorted(name for name in variables(spec) if name not in os.environ)
    if spec.storage.keys is not None and lacking:
        from dama.cluster.doctor import Finding

        yield Finding(
            "unknown", f"the bucket: {', '.join(lacking)} not set here", "set them, or use helm test"
        )
        return
    yield from _bucket(spec)


def _inside(runfile: RunFile) -> Iterator[Finding]:
    from dama.cluster.client import Cluster
    from dama.cluster.doctor import backend_api
    from dama.spec.load import load

    spec = load(runfile)
    yield backend_api(Cluster.reached(), spec)
    yield from _bucket(spec)


def _bucket(spec: RunSpec) -> Iterator[Finding]:
    """Write, read and remove an object where the run keeps its artifacts."""
    import secrets

    from dama.cluster.doctor import Finding
    from dama.errors import StorageError
    from dama.storage.uri import open_store

    store, key = open_store(spec.storage), f"doctor/{secrets.token_hex(8)}"
    try:
        store.put_bytes(key, b"dama")
        read = store.get_bytes(key)
        store.delete(key)
    except StorageError as error:
        yield Finding("wrong", f"{store.uri}: {error.found}", error.do)
        return
    yield Finding("ok" if read == b"dama" else "wrong", f"{store.uri} is written and read")
