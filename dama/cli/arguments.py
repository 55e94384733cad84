"""Arguments that several verbs take, and the console they print to."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from dama.spec.run import RunSpec
    from dama.stages.base import Stage
    from dama.stages.share import Share

RunFile = Annotated[Path, typer.Argument(metavar="RUNFILE", help="The run file (YAML).", show_default=False)]
Overrides = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="A.B=C",
        help="Set one key of the run file, typed as YAML: --set train.seed=1. Can be repeated.",
        show_default=False,
    ),
]

Shard = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Make only every N-th shard of stages in shards (facts, scores, answers), beginning with I, "
        "counted from 0. "
        "In a pod of an Indexed Job its number and cluster.preprocess_pods say so.",
        show_default=False,
    ),
]


Pin = Annotated[
    bool,
    typer.Option(
        "--pin",
        help="Freeze once for all pods of a run: the first writes what names stand for into the store.",
    ),
]


def frozen(spec: RunSpec, pin: bool) -> RunSpec:
    """Return `spec` frozen; with `pin` as the first pod of the run froze it."""
    if pin:
        from dama.stages.pin import patiently, pinned
        from dama.storage.uri import open_store

        return patiently(lambda: pinned(spec, open_store(spec.storage)), typer.echo)
    from dama.stages.freeze import freeze

    return freeze(spec)


def share_of(spec: RunSpec, shard: str | None) -> Share | None:
    """Return what --shard, or the pod's number, leaves to this process; None for all of it."""
    from dama.stages.share import Share

    share = Share.of_pod(os.environ, spec.cluster.preprocess_pods) if shard is None else Share.parse(shard)
    return None if share.whole else share


def typed(runfile: Path, overrides: Sequence[str]) -> str:
    """Return the run file and overrides as a person would type them again."""
    return " ".join([shlex.quote(str(runfile)), *(f"--set {shlex.quote(item)}" for item in overrides)])


def program(debug: bool) -> tuple[str, ...]:
    """Return what python is given to start a stage's process."""
    return ("-m", "dama", "--debug") if debug else ("-m", "dama")


def console() -> Console:
    """Return the console of results; it never breaks a path over two lines by force."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, soft_wrap=True)


Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="The namespace.", show_default="the kubeconfig's"),
]
Context = Annotated[
    str | None,
    typer.Option("--context", help="The kubeconfig's context.", show_default="the current one"),
]
RunName = Annotated[
    str, typer.Argument(metavar="NAME", help="The run's name, or NAME-HASH.", show_default=False)
]


def all_stages() -> tuple[Stage, ...]:
    """Return every stage a run can have, the miniature world's first."""
    from dama.demo.registry import STAGES

    return STAGES
