"""`dama schema`: the run file as JSON Schema."""

from __future__ import annotations

import json

import typer


def schema() -> None:
    """Print the JSON Schema of the run file, every key described; editors check and complete with it."""
    from dama.spec.schema import run_file_schema

    typer.echo(json.dumps(run_file_schema(), indent=2, ensure_ascii=False))
