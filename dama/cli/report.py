"""`dama report`: what came out of a run, or several runs on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dama.spec.run import RunSpec


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Run files, or run folders (STORE/runs/NAME).", show_default=False
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Copy the report there; for several runs, where their comparison is written [comparison].",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print what came out of a finished RUN and where its report is; put several on one page."""
    from dama.cli.arguments import all_stages, console, typed
    from dama.cli.ending import say_ending
    from dama.stages.base import plan
    from dama.stages.publish import copied_report
    from dama.stages.report import compare_runs
    from dama.storage.uri import open_store

    here, specs = console(), [recorded(run) for run in runs]
    for run, spec in zip(runs, specs, strict=True):
        say_ending(here, spec, typed(run / "run.yaml" if run.is_dir() else run, ()))
    if len(specs) > 1:
        views = [(spec, open_store(spec.storage), plan(spec, all_stages())) for spec in specs]
        here.print(f"comparison: {compare_runs(views, out or Path('comparison'))}", markup=False)
    elif out is not None:
        here.print(
            f"copied to {copied_report(open_store(specs[0].storage), specs[0].name, out)}", markup=False
        )


def recorded(run: Path) -> RunSpec:
    """Return the frozen spec that a run recorded in its store; `run` is its folder or its run file."""
    from dama.errors import DamaError, ObjectMissing
    from dama.spec.load import load, parse
    from dama.storage.layout import run_prefix
    from dama.storage.uri import open_store

    if run.is_dir():
        return load(run / "run.yaml")
    spec = load(run)
    store, key = open_store(spec.storage), f"{run_prefix(spec.name)}/run.yaml"
    try:
        text = store.get_bytes(key).decode()
    except ObjectMissing as error:
        raise DamaError(
            f"{store.uri} holds no run '{spec.name}'", do=f"start it with `dama run {run}`"
        ) from error
    return parse(text, folder=Path.cwd(), source=f"{store.uri}/{key}")
