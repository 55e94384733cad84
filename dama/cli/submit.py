"""`dama submit`: a run file, sent to a cluster and followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dama.cli.arguments import Context, Namespace, Overrides, RunFile, console

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dama.cluster.client import Cluster
    from dama.spec.run import RunSpec


def submit(
    runfile: RunFile,
    overrides: Overrides = [],  # noqa: B006 - typer's way
    namespace: Namespace = None,
    context: Context = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Let the server check it, and change nothing.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Print what would change, and change nothing.")
    ] = False,
    follow: Annotated[bool, typer.Option(help="Watch the run until it ends; it goes on without.")] = True,
) -> None:
    """Send RUNFILE's objects, exactly as `dama render` prints them, and follow the run.

    Sending the same run again changes nothing. It ends with 1 when the run fails. Ctrl-C stops only watching.
    """
    from dama.cluster.submit import differences, send
    from dama.manifests.names import Names
    from dama.manifests.render import render

    cluster, spec = reached(runfile, overrides, namespace, context)
    out, objects = console(), render(spec)
    if diff:
        for line in differences(cluster, objects):
            out.print(line, markup=False)
        return
    for line in send(cluster, objects, dry_run=dry_run):
        out.print(line, markup=False)
    if follow and not dry_run:
        from dama.cli.status import watch

        watch(cluster, f"{spec.name}-{Names(spec).hash}")


def reached(
    runfile: Path, overrides: Sequence[str], namespace: str | None, context: str | None
) -> tuple[Cluster, RunSpec]:
    """Return the cluster and the placed run file: in the namespace that is asked for, the file's or ours."""
    from dama.cluster.client import Cluster
    from dama.manifests.placed import placed
    from dama.spec.load import load

    spec = load(runfile, overrides, here=False)
    cluster = Cluster.reached(namespace or spec.cluster.namespace, context)
    if spec.cluster.namespace != cluster.namespace:
        spec = load(runfile, [*overrides, f"cluster.namespace={cluster.namespace}"], here=False)
    return cluster, placed(spec)
