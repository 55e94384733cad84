"""`dama render`: a run file as Kubernetes objects."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dama.cli.arguments import Overrides, RunFile


class Form(StrEnum):
    """How objects are written."""

    YAML = "yaml"
    JSON = "json"


def render(
    runfile: RunFile,
    overrides: Overrides = [],  # noqa: B006 - typer's way
    out: Annotated[
        Path | None,
        typer.Option(help="Write one file an object into this folder.", show_default="to standard output"),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="YAML, or a JSON list.")] = Form.YAML,
) -> None:
    """Print RUNFILE's Kubernetes objects in the order in which they are applied.

    Nothing is asked: no cluster, no hub, no store. Revisions that are no commits are pinned by the first pod.
    `dama submit` sends exactly this; with kubectl: dama render run.yaml | kubectl apply -f -
    """
    from dama.manifests.placed import placed
    from dama.manifests.render import file_names, to_yaml
    from dama.manifests.render import render as objects_of
    from dama.spec.load import load

    objects = objects_of(placed(load(runfile, overrides, here=False)))
    if out is None:
        text = json.dumps(objects, indent=2, sort_keys=True) if form is Form.JSON else to_yaml(objects)
        typer.echo(text, nl=form is Form.JSON)
        return
    out.mkdir(parents=True, exist_ok=True)
    for name, one in zip(file_names(objects), objects, strict=True):
        text = json.dumps(one, indent=2, sort_keys=True) + "\n" if form is Form.JSON else to_yaml([one])
        (out / f"{name}.{form.value}").write_text(text, encoding="utf-8")
