"""`dama status` and `dama ls`: runs of a cluster, how far they are and what they took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from dama.cli.arguments import Context, Namespace, RunName, console

if TYPE_CHECKING:
    from dama.cluster.client import Cluster

_PAUSE_SECONDS = 3.0


def status(
    name: RunName,
    namespace: Namespace = None,
    context: Context = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
) -> None:
    """Say how far run NAME is: steps, pods, what is wrong, GPU-hours so far. Exit code 1: it failed."""
    from dama.cli.run_page import page_of
    from dama.cluster.client import Cluster
    from dama.cluster.runs import find_run

    cluster = Cluster.reached(namespace, context)
    if follow:
        watch(cluster, name)
        return
    run = find_run(cluster, name)
    console().print(page_of(cluster, run))
    if run.state.phase == "failed":
        raise typer.Exit(1)


def ls(namespace: Namespace = None, context: Context = None) -> None:
    """List the namespace's runs, the newest first."""
    from rich.table import Table

    from dama.cli.run_page import age, painted
    from dama.cluster.client import Cluster
    from dama.cluster.runs import find_runs

    cluster = Cluster.reached(namespace, context)
    table = Table("run", "state", "age", "why", box=None, pad_edge=False)
    for run in find_runs(cluster):
        state = run.state
        table.add_row(f"{run.name}-{run.hash}", painted(state.phase), age(run.since), state.reason)
    console().print(table)


def watch(cluster: Cluster, name: str) -> None:
    """Show a run until it ends; Exit with 1 when it failed."""
    from rich.live import Live

    from dama.cli.run_page import page_of
    from dama.cluster.runs import find_run

    out = console()
    try:
        with Live(console=out, auto_refresh=False, transient=out.is_terminal) as live:
            said = ""
            while True:
                run = find_run(cluster, name)
                state = run.state
                if out.is_terminal:
                    live.update(page_of(cluster, run), refresh=True)
                elif (now := f"{state.phase} {state.reason}".strip()) != said:
                    said = now
                    out.print(f"{run.name}-{run.hash}: {now}", markup=False)
                if state.phase in ("done", "failed", "absent"):
                    break
                time.sleep(_PAUSE_SECONDS)
    except KeyboardInterrupt:
        out.print(f"the run goes on; dama status {name} -n {cluster.namespace}", markup=False)
        return
    out.print(page_of(cluster, run))
    if state.phase != "done":
        raise typer.Exit(1)
