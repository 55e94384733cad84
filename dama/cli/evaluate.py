"""`dama evaluate`: a trained checkpoint and what it was trained from, on the run's benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dama.cli.arguments import Overrides, RunFile, Shard, all_stages, console, program, share_of, typed

if TYPE_CHECKING:
    from rich.console import Console

    from dama.records import BenchmarkResult
    from dama.report.table_four import OurRow
    from dama.spec.run import RunSpec
    from dama.stages.base import Planned

_BEFORE = ("baseline-answers", "baseline")
_AFTER = ("answers", "evaluate")


def evaluate(
    context: typer.Context,
    runfile: RunFile,
    overrides: Overrides = [],  # noqa: B006 - typer's way
    model: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="Measure this checkpoint in place of the run's trained one: a folder, or "
            "OWNER/NAME@REVISION of the hub.",
            show_default=False,
        ),
    ] = None,
    benchmark: Annotated[
        list[str],
        typer.Option(
            metavar="KIND",
            help="Only this benchmark of the run file. Can be repeated.",
            show_default=False,
        ),
    ] = [],  # noqa: B006 - typer's way
    shard: Shard = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="ROW", help="The paper's row to compare the checkpoint with: 7b-dpo, …, 13b-dama."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write result.json and tables there; into the run's folder if left out.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Measure what RUNFILE trained, before and after, and print it beside the paper's Table 4.

    Questions are answered in shards, then scored; whatever is there already is reused, so that a second
    call only prints. Training must be done, or another checkpoint given by --model. With --shard the answers
    are shared out between processes, one a GPU, and whoever makes the last shard scores. With --model or
    --benchmark it is recorded as a run of its own, and writes no report.
    """
    from dama.cli.score import check_row
    from dama.report.describe import described_model
    from dama.report.table_four import OurRow, paper_key
    from dama.spec.load import load
    from dama.spec.variant import model_at, with_benchmarks, with_model
    from dama.stages.freeze import freeze
    from dama.stages.pipeline import run_all

    check_row(against)
    here, spec = _console(quiet=as_json), with_benchmarks(load(runfile, overrides), benchmark)
    other = None if model is None else freeze(with_model(spec, model_at(model)))
    share = share_of(spec, shard)
    how, names = program(context.obj["debug"]), typed(runfile, overrides)

    def measured(one: RunSpec, only: Sequence[str]) -> dict[str, Planned]:
        ran = run_all(
            one, all_stages(), here, program=how, typed=names, only=only, share=share, verb="evaluate"
        )
        return {stage.planned.stage.name: stage.planned for stage in ran}

    if other is None:
        report = () if benchmark else ("report",)
        made = measured(spec, (*_BEFORE, *_AFTER, *report))
        after, name = made.get("evaluate"), f"after {spec.method.name}"
        row = against or paper_key(described_model(spec), spec.method.name)
    else:
        made = measured(spec, _BEFORE)
        after, name, row = measured(other, _BEFORE).get("baseline"), described_model(other), against
    before = made.get("baseline")
    if before is None or after is None:
        return
    rows = [
        OurRow("before", _results(spec, before), paper_key(described_model(spec), None)),
        OurRow(name, _results(spec, after), row),
    ]
    _show(here, spec, rows, out, as_json=as_json)


def _console(*, quiet: bool) -> Console:
    """Return the console, on stderr where stdout is for JSON alone."""
    if not quiet:
        return console()
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def _results(spec: RunSpec, planned: Planned) -> list[BenchmarkResult]:
    from dama.errors import ObjectMissing
    from dama.report.results import result_from
    from dama.storage.commit import read_commit
    from dama.storage.uri import open_store

    store = open_store(spec.storage)
    commit = read_commit(store, planned.prefix)
    if commit is None:
        raise ObjectMissing(
            f"{store.uri}/{planned.prefix} was there a moment ago and is gone", do="run it again"
        )
    return [result_from(raw) for raw in commit.meta["results"]]


def _show(here: Console, spec: RunSpec, rows: Sequence[OurRow], out: Path | None, *, as_json: bool) -> None:
    """Write tables where they belong, and print them."""
    import json
    import tempfile

    from dama.cli.tables import show_table
    from dama.report import evaluation
    from dama.report.table_four import NOTE, on_its_side
    from dama.stages.publish import report_page
    from dama.storage.layout import run_prefix
    from dama.storage.uri import open_store

    store = open_store(spec.storage)
    with tempfile.TemporaryDirectory(prefix="dama-evaluate-", dir=spec.storage.scratch) as scratch:
        folder = Path(scratch) if out is None else out
        evaluation.write_evaluation(spec.name, rows, folder)
        place = str(out)
        if out is None:
            key = f"{run_prefix(spec.name)}/evaluation"
            for file in sorted(folder.iterdir()):
                store.put_file(f"{key}/{file.name}", file)
            place = str(store.local(key) or f"{store.uri}/{key}")
    if as_json:
        typer.echo(
            json.dumps(evaluation.as_json(spec.name, rows), indent=1, sort_keys=True, ensure_ascii=False)
        )
        return
    show_table(here, evaluation.figures_table(rows))
    for line in evaluation.notes(rows):
        here.print(line, markup=False)
    if evaluation.is_published(rows):
        show_table(here, on_its_side(rows))
        here.print(NOTE, markup=False)
    here.print(f"written: {place}", markup=False)
    if (page := report_page(store, spec.name)) is not None:
        here.print(f"report: {page}", markup=False)
