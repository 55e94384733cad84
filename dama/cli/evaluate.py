"""`dama evaluate`: the last step of a run: both models measured, the report written and published."""

from __future__ import annotations

import typer

from dama.cli.arguments import Overrides, Pin, RunFile, all_stages, console, frozen, program, typed


def evaluate(
    context: typer.Context,
    runfile: RunFile,
    overrides: Overrides = [],  # noqa: B006 - typer's way
    pin: Pin = False,
) -> None:
    """Run stages baseline, evaluate and report of RUNFILE; the trained model must be there."""
    from dama.cli.ending import say_ending
    from dama.cli.notes import show_notes
    from dama.spec.load import load
    from dama.stages.step import EVALUATE, run_step

    show_notes()
    spec, out = frozen(load(runfile, overrides), pin), console()
    how, names = program(context.obj["debug"]), typed(runfile, overrides)
    run_step(spec, EVALUATE, all_stages(), out, program=how, typed=names, verb="evaluate")
    say_ending(out, spec)
