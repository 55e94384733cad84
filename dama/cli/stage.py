"""`dama stage`: one stage of a run file, as a pod or a person runs it."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from dama.cli.arguments import Overrides, RunFile, Shard, all_stages, console, program, share_of, typed


def stage(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The stage's name.", show_default=False)],
    runfile: RunFile,
    overrides: Overrides = [],  # noqa: B006 - typer's way
    frozen: Annotated[
        bool,
        typer.Option("--frozen", help="RUNFILE was frozen a moment ago: do not check its digests again."),
    ] = False,
    shard: Shard = None,
) -> None:
    """Run stage NAME of RUNFILE, unless its artifact is already there.

    Stages in order: world, splitter (both the miniature world's), data, facts, scores, alpha,
    baseline-answers, baseline, reference, train, answers, evaluate, report. A stage whose input is missing
    says which stage makes it.
    """
    from dama.cli.notes import show_notes
    from dama.errors import Problem, SpecError
    from dama.spec.load import load
    from dama.stages.freeze import freeze
    from dama.stages.launch import TYPED, live_as_child
    from dama.stages.pipeline import require_stage, run_one

    live_as_child()
    show_notes()
    stages = all_stages()
    require_stage(name, stages)
    spec = load(runfile, overrides)
    spec = spec if frozen else freeze(spec)
    share = None
    if any(one.name == name and one.in_shards for one in stages):
        share = share_of(spec, shard)
    elif shard is not None:
        cut = ", ".join(one.name for one in stages if one.in_shards)
        raise SpecError(
            [Problem("--shard", f"stage '{name}' has no shards", f"one of {cut}", "leave it out")],
            "command line",
        )
    how, names = program(context.obj["debug"]), os.environ.get(TYPED) or typed(runfile, overrides)
    outcome = run_one(spec, name, stages, program=how, typed=names, share=share)
    if outcome.reused:
        console().print(f"{name}: already there, reused")
    elif outcome.awaits is None and not frozen:
        console().print(f"{name}: done in {outcome.seconds:.1f} s")
    if outcome.awaits is not None:
        console().print(f"{name}: {outcome.awaits}")
