"""`dama step`: one step of a run, as a pod does it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from dama.cli.arguments import Overrides, Pin, RunFile, all_stages, console, frozen, program, typed


class StepName(StrEnum):
    """The steps that are no verbs of their own."""

    TRAIN = "train"
    ANSWERS = "answers"
    EVALUATE = "evaluate"


def step(
    context: typer.Context,
    name: Annotated[
        StepName,
        typer.Argument(help="train: reference and train. answers: of both models. evaluate: and report."),
    ],
    runfile: RunFile,
    overrides: Overrides = [],  # noqa: B006 - typer's way
    pin: Pin = False,
) -> None:
    """Run the stages of step NAME of RUNFILE, and nothing that belongs to another step.

    On several machines it is started on each, with torchrun's variables (PET_NNODES, PET_NODE_RANK,
    PET_MASTER_ADDR, PET_MASTER_PORT). Exit code 75: saved and stopped, the same command goes on.
    """
    from dama.cli.ending import say_ending
    from dama.cli.notes import show_notes
    from dama.spec.load import load
    from dama.stages.step import STEPS, run_step

    show_notes()
    spec, out = frozen(load(runfile, overrides), pin), console()
    how, names = program(context.obj["debug"]), typed(runfile, overrides)
    run_step(spec, STEPS[name], all_stages(), out, program=how, typed=names, verb=f"step {name.value}")
    if name is StepName.EVALUATE:
        say_ending(out, spec, names)
