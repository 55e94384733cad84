"""`dama train`: the training step of a run, as a training pod does it."""

from __future__ import annotations

import typer

from dama.cli.arguments import Overrides, Pin, RunFile, all_stages, console, frozen, program, typed


def train(
    context: typer.Context,
    runfile: RunFile,
    overrides: Overrides = [],  # noqa: B006 - typer's way
    pin: Pin = False,
) -> None:
    """Run stages reference and train of RUNFILE on the GPUs of this machine; what they read must be there.

    On several machines it is started on each, with torchrun's variables (PET_NNODES, PET_NODE_RANK,
    PET_MASTER_ADDR, PET_MASTER_PORT). Exit code 75: saved and stopped, the same command goes on.
    """
    from dama.cli.notes import show_notes
    from dama.spec.load import load
    from dama.stages.step import TRAIN, run_step

    show_notes()
    spec = frozen(load(runfile, overrides), pin)
    how, names = program(context.obj["debug"]), typed(runfile, overrides)
    run_step(spec, TRAIN, all_stages(), console(), program=how, typed=names, verb="train")
