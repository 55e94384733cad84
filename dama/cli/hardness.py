"""`dama hardness show`: what an artifact of stage alpha says of its dataset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dama.cli.arguments import Overrides

if TYPE_CHECKING:
    from dama.report.view import HardnessView
    from dama.stages.alpha_artifact import AlphaArtifact

PICTURE = Path("hardness.png")
hardness = typer.Typer(no_args_is_help=True, help="Look at the hardness of a dataset.")


@hardness.command()
def show(
    artifact: Annotated[
        str,
        typer.Argument(
            metavar="ARTIFACT",
            help="A run file, a run's folder, an artifact of stage alpha (folder or s3://…).",
            show_default=False,
        ),
    ],
    overrides: Overrides = [],  # noqa: B006 - typer's way
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Where the picture goes.", show_default=str(PICTURE)),
    ] = None,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="Draw nothing.")] = False,
    storage: Annotated[
        Path | None,
        typer.Option(
            metavar="RUNFILE", help="For s3://…: take endpoint and keys from there.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; the picture only with --out.")] = False,
) -> None:
    """Print the summary of ARTIFACT and its five hardest and easiest preferences; draw δ and β_D (Fig. 7)."""
    import json
    import tempfile

    from dama.stages.alpha_artifact import open_alpha

    with tempfile.TemporaryDirectory(prefix="dama-hardness-") as scratch:
        found = open_alpha(artifact, Path(scratch), overrides=overrides, storage=storage)
        with _packages("hardness", "data,report"):
            from dama.report.hardness_json import hardness_json
            from dama.report.sheet import load_hardness

            summary = found.summary
            view = load_hardness(found.folder, None, str(summary["aggregate"]), str(summary["form"]), summary)
    if as_json:
        told = hardness_json(found.place, found.digest, summary, found.seconds, view)
        typer.echo(json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False))
        out = None if no_picture else out
    else:
        _say(found, view)
        out = None if no_picture else out or PICTURE
    if out is not None:
        _draw(view, out, quiet=as_json)


def _say(found: AlphaArtifact, view: HardnessView) -> None:
    import sys

    from rich.console import Console

    from dama.report.hardness_text import (
        ends,
        example_heading,
        example_table,
        headings,
        remarks,
        spread_table,
    )

    console = Console(file=sys.stdout, highlight=False)
    whose = f" of run {found.run}" if found.run else ""
    console.print(f"hardness{whose}: {found.place}", markup=False, soft_wrap=True)
    for word, text in headings(view, found.summary, found.seconds):
        console.print(f"  {word:<7} {text}", markup=False, soft_wrap=True)
    console.print()
    console.print(spread_table(found.summary))
    console.print()
    for line in remarks(view):
        console.print(line, markup=False, soft_wrap=True)
    for title, examples in ends(view):
        if examples:
            console.print(f"\n[bold]{title}[/]", soft_wrap=True)
        for example in examples:
            console.print(f"\n{example_heading(example)}", markup=False, soft_wrap=True)
            console.print(example_table(example))


def _draw(view: HardnessView, out: Path, *, quiet: bool) -> None:
    with _packages("the picture", "report", otherwise=", or --no-picture"):
        from dama.hardness.summary import BETA
        from dama.report.hardness_picture import hardness_picture
    from dama.storage.whole import replacing, told

    with told(out), replacing(out) as beside:
        beside.write_bytes(hardness_picture(view, BETA))
    if not quiet:
        typer.echo(f"\npicture: {out}")


@contextmanager
def _packages(what: str, extras: str, otherwise: str = "") -> Iterator[None]:
    """Say which package is not installed, and how it comes."""
    from dama.errors import ToolMissing

    try:
        yield
    except ImportError as error:
        raise ToolMissing(
            f"{what} needs the package {error.name}", do=f"pip install 'dama[{extras}]'{otherwise}"
        ) from error
