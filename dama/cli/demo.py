"""`dama demo`: the miniature world, from nothing to a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def demo(
    folder: Annotated[Path, typer.Option(help="Where everything it makes is kept.")] = Path("demo-run"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the world and of training.")] = 0,
    methods: Annotated[str, typer.Option(help="Methods to run, separated by commas.")] = "dpo,dama",
    facts: Annotated[
        Literal["rules", "vllm"],
        typer.Option(
            help="Who splits captions into facts: rules, or a tiny Llama on vLLM (pip install vllm)."
        ),
    ] = "rules",
) -> None:
    """Align a tiny LLaVA in a miniature world: no GPU, no download, minutes on two cores."""
    from dama.demo.run import run_demo

    run_demo(folder, seed, tuple(word.strip() for word in methods.split(",") if word.strip()), facts)
