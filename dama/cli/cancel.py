"""`dama cancel` and `dama resume`: a run's steps removed, and made again from where it was."""

from __future__ import annotations

from pathlib import Path

import typer

from dama.cli.arguments import Context, Namespace, RunName


def cancel(name: RunName, namespace: Namespace = None, context: Context = None) -> None:
    """Stop run NAME; training saves before its pod goes. The bucket stays, and `dama resume` goes on."""
    from dama.cluster.client import Cluster
    from dama.cluster.runs import find_run
    from dama.cluster.submit import cancel as cancelled

    cluster = Cluster.reached(namespace, context)
    for line in cancelled(cluster, find_run(cluster, name)):
        typer.echo(line)


def resume(name: RunName, namespace: Namespace = None, context: Context = None) -> None:
    """Go on with run NAME, cancelled or failed: its steps are made again and reuse what is committed."""
    from dama.cluster.client import Cluster
    from dama.cluster.runs import find_run
    from dama.cluster.submit import again, send
    from dama.errors import ClusterError
    from dama.manifests.render import render
    from dama.spec.load import parse

    cluster = Cluster.reached(namespace, context)
    run = find_run(cluster, name)
    if run.kept is None:
        raise ClusterError(f"run {name} left no run file here", do="send it again with `dama submit`")
    if run.state.phase in ("running", "done"):
        raise ClusterError(f"run {name} is {run.state.phase}", wanted="one that was cancelled or has failed")
    spec = parse(run.kept["data"]["run.yaml"], folder=Path("/"), source=f"run file of {name}")
    for line in again(cluster, run):
        typer.echo(line)
    for line in send(cluster, render(spec)):
        typer.echo(line)
