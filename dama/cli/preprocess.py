"""`dama preprocess`: what a run needs before it trains: data, facts, scores, alpha."""

from __future__ import annotations

import typer

from dama.cli.arguments import (
    Overrides,
    Pin,
    RunFile,
    Shard,
    all_stages,
    console,
    frozen,
    program,
    share_of,
    typed,
)


def preprocess(
    context: typer.Context,
    runfile: RunFile,
    overrides: Overrides = [],  # noqa: B006 - typer's way
    shard: Shard = None,
    pin: Pin = False,
) -> None:
    """Run the stages of RUNFILE up to alpha (data, facts, scores, alpha), reusing what is made.

    Each stage is a process of its own, so that one engine's memory is free before the next is loaded. With
    --shard (or in a pod of an Indexed Job) the shards of facts and scores are shared out: every process ends
    when it has made its own, and the one that makes the last makes alpha. Without it whatever is missing is
    made. A run without hardness has only its data read.
    """
    from dama.spec.load import load
    from dama.stages.pipeline import run_all

    spec, out = frozen(load(runfile, overrides), pin), console()
    goal = "data" if spec.hardness is None else "alpha"
    share = share_of(spec, shard)
    how, names = program(context.obj["debug"]), typed(runfile, overrides)
    run_all(spec, all_stages(), out, program=how, typed=names, goal=goal, share=share, verb="preprocess")
