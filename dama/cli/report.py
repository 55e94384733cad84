"""`dama report`: where a run's report is, or several runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run files, or run folders (runs/<name>).", show_default=False),
    ],
) -> None:
    """Print what came out of a run and where its report is."""
    from dama.cli.arguments import console
    from dama.cli.ending import say_ending
    from dama.spec.load import load

    out = console()
    for run in runs:
        say_ending(out, load(run / "run.yaml" if run.is_dir() else run))
