"""`dama score`: answers made elsewhere, scored as a run file's benchmarks are."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dama.benchmarks.asking import Asker
    from dama.benchmarks.base import Benchmark
    from dama.records import BenchmarkResult
    from dama.spec.evaluate import PublishedBenchmark


class Name(StrEnum):
    """The published benchmarks."""

    AMBER = "amber"
    OBJECT_HALBENCH = "object-halbench"
    MMHAL = "mmhal"
    LLAVA_BENCH = "llava-bench"
    MM_VET = "mm-vet"


class Mode(StrEnum):
    """Which figures lead."""

    ROBUST = "robust"
    OFFICIAL = "official"


class Part(StrEnum):
    """Parts of AMBER."""

    ALL = "all"
    GENERATIVE = "generative"
    DISCRIMINATIVE = "discriminative"
    EXISTENCE = "existence"
    ATTRIBUTE = "attribute"
    RELATION = "relation"


class Finder(StrEnum):
    """Who finds AMBER's nouns."""

    LEMMA = "lemma"
    NLTK_SPACY = "nltk-spacy"


_JUDGE, _KEPT, _BESIDE = "Judge", "Results", "Benchmark"


def score(
    benchmark: Annotated[Name, typer.Argument(help="The benchmark.", show_default=False)],
    answers: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="The answers: JSONL, JSON list, or id to text.", show_default=False
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="PLACE",
            help="The benchmark's published files: a folder, s3://, hf://.",
            show_default=False,
        ),
    ],
    mode: Annotated[
        Mode, typer.Option(help="What its authors meant, or what their script counts.")
    ] = Mode.ROBUST,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Score what is answered; the result says what is missing.")
    ] = False,
    part: Annotated[
        Part, typer.Option(help="AMBER: the questions answered.", rich_help_panel=_BESIDE)
    ] = Part.ALL,
    nouns: Annotated[
        Finder, typer.Option(help="AMBER: who finds nouns.", rich_help_panel=_BESIDE)
    ] = Finder.LEMMA,
    judge_model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The model that judges.", rich_help_panel=_JUDGE)
    ] = None,
    judge_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Its OpenAI-compatible endpoint (…/v1).", rich_help_panel=_JUDGE),
    ] = None,
    judge_key: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Environment variable with its key; empty for none.",
            rich_help_panel=_JUDGE,
        ),
    ] = "OPENAI_API_KEY",
    concurrency: Annotated[int, typer.Option(help="Requests at a time.", rich_help_panel=_JUDGE)] = 8,
    max_requests: Annotated[
        int | None, typer.Option(help="Stop before more requests.", rich_help_panel=_JUDGE)
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="Stop after so many tokens.", rich_help_panel=_JUDGE)
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(help="Stop after this cost, by the two prices.", rich_help_panel=_JUDGE)
    ] = None,
    prompt_price: Annotated[
        float, typer.Option(help="Price of a million prompt tokens.", rich_help_panel=_JUDGE)
    ] = 0.0,
    completion_price: Annotated[
        float, typer.Option(help="Price of a million reply tokens.", rich_help_panel=_JUDGE)
    ] = 0.0,
    replies: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Replies of a judge asked before; nobody is asked.", rich_help_panel=_JUDGE
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write result, tables and replies there; with a judge score-BENCHMARK if left out.",
            rich_help_panel=_KEPT,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON.", rich_help_panel=_KEPT)
    ] = False,
    name: Annotated[
        str, typer.Option(help="What the model is called in tables.", rich_help_panel=_KEPT)
    ] = "this model",
    against: Annotated[
        str | None,
        typer.Option(
            metavar="ROW",
            help="The paper's row to compare with: 7b, 7b-dpo, …, 13b-dama.",
            rich_help_panel=_KEPT,
        ),
    ] = None,
) -> None:
    """Score answers to BENCHMARK that were made elsewhere, without a model or a GPU."""
    judge: dict[str, Any] | None = None
    if judge_model is not None:
        judge = {
            "model": judge_model,
            "base_url": judge_url,
            "key_env": judge_key or None,
            "concurrency": concurrency,
            "max_requests": max_requests,
            "max_tokens": max_tokens,
            "max_cost": max_cost,
            "prompt_price": prompt_price,
            "completion_price": completion_price,
        }
    written: dict[str, Any] = {"kind": benchmark.value, "data": data, "mode": mode.value}
    if benchmark is Name.AMBER:
        written |= {"part": part.value, "nouns": nouns.value}
        if judge is not None or replies is not None:
            raise typer.BadParameter("AMBER has no judge", param_hint="--judge-model, --replies")
    elif judge is not None or benchmark is not Name.OBJECT_HALBENCH:
        written["judge"] = judge
    check_row(against)
    if judge is not None and replies is not None:
        raise typer.BadParameter(
            "a judge is asked or its replies are given, not both", param_hint="--replies"
        )
    if judge is not None and out is None:
        out = Path(f"score-{benchmark.value}")
    result = _scored(_spec(written, kept=replies is not None), answers, replies, out, partial=allow_partial)
    _show(result, name, against, out, as_json=as_json)


def check_row(against: str | None) -> None:
    """Raise BadParameter unless `against` is one of the paper's rows, or nothing."""
    from dama.report.table_four import PAPER

    keys = [row.key for row in PAPER]
    if against is not None and against not in keys:
        raise typer.BadParameter(f"'{against}' is none of {', '.join(keys)}", param_hint="--against")


def _spec(written: dict[str, Any], *, kept: bool) -> PublishedBenchmark:
    """Return the part of a run file that the options come to; BadParameter says what is wrong."""
    from pydantic import Field, TypeAdapter, ValidationError

    from dama.errors import JudgeError
    from dama.spec.evaluate import PublishedBenchmark

    if "judge" in written and written["judge"] is None:
        if not kept:
            raise JudgeError(
                f"{written['kind']} is scored by a judge, and none is given",
                do="give --judge-model (and --judge-url), or the --replies of an earlier scoring",
            )
        written["judge"] = {"model": "kept replies"}
    adapter: TypeAdapter[PublishedBenchmark] = TypeAdapter(
        Annotated[PublishedBenchmark, Field(discriminator="kind")]
    )
    try:
        return adapter.validate_python(written)
    except ValidationError as error:
        detail = error.errors()[0]
        place = ".".join(map(str, detail["loc"][1:]))
        raise typer.BadParameter(f"{place}: {detail['msg']}") from error


def _scored(
    spec: PublishedBenchmark, answers: Path, replies: Path | None, out: Path | None, *, partial: bool
) -> BenchmarkResult:
    import tempfile

    from dama.benchmarks.reading import read_answers
    from dama.spec.storage import StorageSpec
    from dama.stages.progress import progress
    from dama.stages.published import judge_of, local_folders, open_benchmark

    given = read_answers(answers)
    with tempfile.TemporaryDirectory(prefix="dama-score-") as scratch:
        folder, images = local_folders(spec, StorageSpec(), Path(scratch))
        if replies is None and out is not None and getattr(spec, "judge", None) is not None:
            with progress(f"judge, {spec.kind}", len(given)) as advance:
                asker = judge_of(spec, out, advance)
                return open_benchmark(spec, folder, images, asker=asker, partial=partial).score(given)
        asker = None if replies is None else _kept(spec, replies, partial=partial)
        opened: Benchmark = open_benchmark(spec, folder, images, asker=asker, partial=partial)
        return opened.score(given)


def _kept(spec: PublishedBenchmark, replies: Path, *, partial: bool) -> Asker:
    from dama.benchmarks.official_replies import read_replies

    return read_replies(spec.kind, replies, partial=partial)


def _show(
    result: BenchmarkResult, name: str, against: str | None, out: Path | None, *, as_json: bool
) -> None:
    """Print a result and write it where `out` says."""
    import json
    from dataclasses import asdict

    from dama.cli.arguments import console
    from dama.cli.tables import show_table
    from dama.report.score_page import remarks, score_table, write_score
    from dama.report.table_four import OurRow

    here = console()
    if out is not None:
        write_score(result, OurRow(name, [result], against), out)
    if as_json:
        typer.echo(json.dumps(asdict(result), indent=1, sort_keys=True, ensure_ascii=False))
        return
    show_table(here, score_table(result))
    here.print("; ".join(remarks(result)), markup=False)
    if out is not None:
        here.print(f"written: {out}", markup=False)
