"""`dama validate`: is this run file right, and what does it come to?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from dama.cli.arguments import Overrides, RunFile, console

if TYPE_CHECKING:
    from dama.spec.run import RunSpec


def validate(runfile: RunFile, overrides: Overrides = []) -> None:  # noqa: B006 - typer's way
    """Check RUNFILE: print what it comes to, or every problem with its path (exit code 2).

    Local files and folders that it names are looked for; s3://, hf:// and the hub's models are not. What lies
    below cluster.volumes is in the run's pods: a warning.
    """
    from rich.markup import escape

    from dama.errors import SpecError
    from dama.spec.absent import absent
    from dama.spec.load import load

    spec, out = load(runfile, overrides), console()
    missing = absent(spec)
    for one in missing:
        if one.in_pods:
            typer.echo(f"dama: warning: {runfile}: {one.problem} (not looked for in the pods)", err=True)
    if problems := [one.problem for one in missing if not one.in_pods]:
        raise SpecError(problems, str(runfile))
    out.print(f"[green]OK[/] {escape(str(runfile))}")
    for word, text in essentials(spec):
        out.print(f"  [bold]{word:<9}[/] {escape(text)}")


def essentials(spec: RunSpec) -> list[tuple[str, str]]:
    """Return what a person wants to see confirmed before a run: (word, text)."""
    train, method = spec.train, spec.method
    settings = {key: value for key, value in method.model_dump().items() if key not in ("name", "combine")}
    length = f"{train.max_steps} steps" if train.max_steps else f"{train.epochs:g} epochs"
    batch = (
        f"{train.ranks} ranks × {train.per_device_batch} × accumulation {train.accumulation} = {train.batch}"
    )
    lora = f", LoRA of rank {train.lora.rank}" if train.lora is not None else ""
    benchmarks = ", ".join(benchmark.kind for benchmark in spec.evaluate.benchmarks) or "nothing is measured"
    lines = [
        ("run", spec.name),
        ("model", _named(spec.model.model_dump(exclude_none=True))),
        ("data", _named(spec.data.model_dump(exclude_none=True))),
        ("method", f"{method.name} ({', '.join(f'{key} {value}' for key, value in settings.items())})"),
        ("train", f"{length}, batch {batch}, {train.device}, {train.dtype}, ZeRO-{train.zero.stage}{lora}"),
        ("evaluate", benchmarks),
        ("storage", spec.storage.uri),
    ]
    if spec.hardness is not None:
        scorer, form = spec.hardness.scorer, spec.hardness.form
        lines.insert(
            3, ("hardness", f"facts by {spec.hardness.facts.engine}, scores by {scorer.engine}, {form}")
        )
    return lines


def _named(part: dict[str, object]) -> str:
    shown = {key: part[key] for key in ("id", "path", "uri", "revision", "limit") if key in part}
    return " ".join([str(part["kind"]), *(f"{key} {value}" for key, value in shown.items())])
