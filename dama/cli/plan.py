"""`dama plan`: what a run needs, before it is run."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from dama.cli.arguments import Overrides, RunFile


class GpuName(StrEnum):
    """GPUs to plan for."""

    A100 = "a100-80"
    H100 = "h100"
    H200 = "h200"


def plan(
    runfile: RunFile,
    overrides: Overrides = [],  # noqa: B006 - typer's way
    gpu: Annotated[GpuName | None, typer.Option(help="Only this GPU.", show_default="all")] = None,
    preferences: Annotated[
        int | None,
        typer.Option(min=1, help="Preferences to train on.", show_default="22,000, or data.limit"),
    ] = None,
    prompt_tokens: Annotated[int, typer.Option(min=1, help="Tokens of a prompt, image left out.")] = 64,
    answer_tokens: Annotated[int, typer.Option(min=1, help="Tokens of an answer, by the mean.")] = 100,
    efficiency: Annotated[
        float | None,
        typer.Option(min=0.01, max=1, help="Share of the GPU's peak reached.", show_default="by GPU"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Predict memory, time and disk of RUNFILE's training, and say what to change if it does not fit.

    Exit code 1 when it fits on none of the GPUs. Needs no GPU and, for the presets, no network.
    """
    import json
    import sys

    from dama.plan.forecast import Asked
    from dama.plan.plan import make_plan
    from dama.plan.sizes import shape_of
    from dama.spec.load import load

    spec = load(runfile, overrides)
    asked = Asked(prompt_tokens, answer_tokens, preferences, efficiency)
    found = make_plan(spec, shape_of(spec.model), asked, gpu.value if gpu else None)
    if as_json:
        sys.stdout.write(json.dumps(found.to_json(), indent=2) + "\n")
    else:
        from rich.console import Console

        from dama.plan.table import WIDTH, changes, headings, notes, table

        out = Console(file=sys.stdout, highlight=False, width=WIDTH)
        for line in headings(found):
            out.print(line, markup=False)
        out.print()
        out.print(table(found))
        out.print()
        for line in (*changes(found), *notes(found)):
            out.print(line, markup=False, soft_wrap=True)
    if not found.fits:
        raise typer.Exit(1)
