"""`dama`: its verbs, and the one place where errors become a line for a person and an exit code."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Annotated

import typer

from dama import __version__
from dama.cli.bucket import bucket
from dama.cli.cancel import cancel, resume
from dama.cli.demo import demo
from dama.cli.doctor import doctor
from dama.cli.evaluate import evaluate
from dama.cli.hardness import hardness
from dama.cli.images import app as images
from dama.cli.logs import logs
from dama.cli.plan import plan
from dama.cli.preprocess import preprocess
from dama.cli.release import release
from dama.cli.render import render
from dama.cli.report import report
from dama.cli.run import run
from dama.cli.schema import schema
from dama.cli.score import score
from dama.cli.stage import stage
from dama.cli.status import ls, status
from dama.cli.step import step
from dama.cli.submit import submit
from dama.cli.validate import validate
from dama.errors import DamaError, RestartMe

_HELP = """Align multimodal LLMs by preference optimisation, from one run file to a model and a report.

Try [bold]dama demo[/] first: it makes a miniature world and aligns a tiny LLaVA there; no GPU, no download.

A run file can be as short as two lines; everything left out has a documented default:

  [cyan]model: llava-7b[/]
  [cyan]method: dama[/]
"""

_EPILOG = """Example: [cyan]dama validate run.yaml && dama run run.yaml --set train.seed=1[/]

Exit codes: 0 done, 1 a stage failed (or a planned run does not fit), 2 wrong run file or command line,
75 saved and wants another start."""

app = typer.Typer(
    name="dama",
    help=_HELP,
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # typer gives it no public name of its own
_INTERRUPTED = 130
"""What typer makes of Ctrl-C."""
_RUNS, _FILES, _PLACES, _START = "Run", "Run file", "Places", "Start here"
_CLUSTER, _PODS = "On a cluster", "What pods do"
app.command(rich_help_panel=_START)(demo)
app.command(rich_help_panel=_RUNS)(run)
app.command(rich_help_panel=_RUNS)(preprocess)
app.command(rich_help_panel=_RUNS)(evaluate)
app.command(rich_help_panel=_RUNS)(stage)
app.command(rich_help_panel=_RUNS)(report)
app.command(rich_help_panel=_RUNS)(score)
app.add_typer(hardness, name="hardness", rich_help_panel=_RUNS)
app.command(rich_help_panel=_FILES)(validate)
app.command(rich_help_panel=_FILES)(plan)
app.command(rich_help_panel=_FILES)(schema)
app.command(rich_help_panel=_CLUSTER)(render)
app.command(rich_help_panel=_CLUSTER)(submit)
app.command(rich_help_panel=_CLUSTER)(status)
app.command(rich_help_panel=_CLUSTER)(logs)
app.command(rich_help_panel=_CLUSTER)(ls)
app.command(rich_help_panel=_CLUSTER)(cancel)
app.command(rich_help_panel=_CLUSTER)(resume)
app.command(rich_help_panel=_CLUSTER)(doctor)
app.command(rich_help_panel=_PODS)(step)
app.command(rich_help_panel=_PODS)(release)
app.command(rich_help_panel=_PLACES)(bucket)
app.add_typer(images, name="images", rich_help_panel=_PLACES)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"dama {__version__}")
        raise typer.Exit


@app.callback()
def _everywhere(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options of every verb; `main` itself looks for --debug, since it must know before a verb is chosen."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit; every error a person can meet ends here, in one line on stderr."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, _end)
    debug = "--debug" in arguments
    code, lines, error = _outcome([item for item in arguments if item != "--debug"], debug)
    if code and not _speaks(code):
        lines, error = [], None
    if debug and error is not None:
        traceback.print_exception(error)
    for line in lines:
        sys.stderr.write(f"dama: {line}\n")
    if "LOCAL_RANK" in os.environ:
        from dama.stages.torchrun import leave

        leave(code)
    sys.exit(code)


def _end(number: int, _: FrameType | None) -> None:
    """End on SIGTERM; the first process of a container has to say so, else the kernel lets it go on."""
    raise SystemExit(128 + number)


def _outcome(arguments: list[str], debug: bool) -> tuple[int, list[str], BaseException | None]:
    """Return the exit code, the lines for a person and the exception behind them."""
    try:
        code = app(arguments, standalone_mode=False, obj={"debug": debug})
    except DamaError as error:
        return error.exit_code, [f"error: {line}" for line in str(error).splitlines()], error
    except RestartMe as error:
        return error.exit_code, [str(error) or "saved and stopped; the same command goes on"], None
    except SystemExit as error:  # a signal, or a process below that has said its line
        return error.code if isinstance(error.code, int) else 1, [], None
    except _UsageError as error:
        return 2, _usage(error), None
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - so that the exit does not flush into it again
        return 141, [], None
    except Exception as error:  # a fault of ours: still one line
        text = " ".join(str(error).split())
        return 1, [f"error: {type(error).__name__}: {text}; run again with --debug to see where"], error
    if code == _INTERRUPTED:
        from dama.stages.launch import PARENT

        alone = PARENT not in os.environ  # a stage's process leaves the word to its parent
        return code, ["stopped; the same command goes on from here"] if alone else [], None
    return code if isinstance(code, int) else 0, [], None


def _usage(error: Exception) -> list[str]:
    """Return the line for a wrong command line; without any verb, the help is the answer."""
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(f"{text}\n")
        return []
    verb = getattr(context, "info_name", None)
    path = "dama" if verb in (None, "dama") or getattr(context, "parent", None) is None else f"dama {verb}"
    return [f"error: {' '.join(text.split())}; see `{path} --help`"]


def _speaks(code: int) -> bool:
    """Say whether this process is the one to speak: of the ranks that fail together, the first."""
    if "LOCAL_RANK" not in os.environ:
        return True
    from dama.stages.torchrun import note_failure

    return note_failure(code)
