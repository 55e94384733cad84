"""`dama run`: every stage of a run file, here and now."""

from __future__ import annotations

import typer

from dama.cli.arguments import Overrides, RunFile, all_stages, console, program, typed


def run(context: typer.Context, runfile: RunFile, overrides: Overrides = []) -> None:  # noqa: B006 - typer's way
    """Run every stage of RUNFILE on this machine; what is already made is reused.

    Each stage is a process of its own (training: one a rank, by torchrun) and leaves an artifact named by
    what made it. Interrupt it when you like: the same command goes on where it stopped.
    """
    from dama.cli.ending import say_ending
    from dama.spec.load import load
    from dama.stages.pipeline import run_all

    spec, out = load(runfile, overrides), console()
    how, names = program(context.obj["debug"]), typed(runfile, overrides)
    run_all(spec, all_stages(), out, program=how, typed=names)
    say_ending(out, spec, names)
