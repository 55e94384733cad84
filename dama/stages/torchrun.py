"""`python -m dama.stages.torchrun RANKS ...`: torchrun here, with our exit codes and without its report.

torchrun ends with 1 whatever its ranks ended with, and prints a page about it after the rank's own line. Here
the exit code is that of the rank that failed first, which the rank itself notes down (`note_failure`).
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from dama.stages.launch import PARENT, STAGE, live_as_child
from dama.stages.machines import machines

FAILURE = "DAMA_FAILURE_FILE"
"""Set for ranks: the file that the first rank to fail makes, with its exit code in it."""

_ASKED = "asked"
"""File beside it: somebody sent this launch a signal, and so its ranks get one."""
_PATIENCE_SECONDS = 7 * 24 * 3600
"""How long ranks that got a signal have to finish a step and save; a second signal is passed on as well."""


def note_failure(code: int) -> bool:
    """Note `code` as this launch's exit code; return whether this rank failed first, and so should speak."""
    path = os.environ.get(FAILURE)
    if path is None:
        return True
    try:
        with Path(path).open("x") as file:
            file.write(str(code))
    except FileExistsError:
        return False
    except OSError:
        return True
    return True


def signal_is_meant() -> bool:
    """Say whether the signal that this rank just got came from outside; torchrun sends the same one to the
    ranks that are left when one has failed."""
    path = os.environ.get(FAILURE)
    return path is None or Path(path).with_name(_ASKED).exists()


def leave(code: int) -> NoReturn:
    """End this rank with `code`: exit functions and streams as usual, but no finalisation of the interpreter.

    Threads of gloo that outlive their group abort a process in there now and then ("terminate called without
    an active exception"), after all work is done and committed.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(arguments: Sequence[str]) -> int:
    """Run `python ARGUMENTS[1:]` in ARGUMENTS[0] ranks here; return the exit code of the first that failed.

    On several machines (`dama.stages.machines`) every one starts its own, and all ranks meet.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException, _terminate_process_handler
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    live_as_child()
    logging.disable(logging.ERROR)  # whatever torch has to say about ranks that end, they say better
    ranks, *rest = arguments
    meeting = machines().meeting(f"dama-{os.environ.get(STAGE, 'ranks')}")
    with tempfile.TemporaryDirectory(prefix="dama-ranks-") as folder:
        failure = Path(folder) / "failure"
        os.environ |= {FAILURE: str(failure), PARENT: str(os.getpid())}

        def pass_on(number: int, frame: FrameType | None) -> None:
            failure.with_name(_ASKED).touch()
            _terminate_process_handler(number, frame)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, pass_on)
        ours = ["--signals-to-handle", "SIGHUP,SIGQUIT"]  # the others are heard here
        patience = ["--shutdown-timeout", str(_PATIENCE_SECONDS)]
        try:
            arguments = [*meeting, "--nproc-per-node", ranks, "--log-dir", folder, *ours, *patience]
            arguments += rest
            run(parse_args(arguments))  # type: ignore[no-untyped-call]
        except ChildFailedError as error:
            with suppress(OSError, ValueError):
                return int(failure.read_text())
            rank, first = error.get_first_failure()
            if first.exitcode < 0:
                name = signal.Signals(-first.exitcode).name
                memory = "; is memory short?" if name == "SIGKILL" else ""
                sys.stderr.write(f"dama: error: rank {rank} was ended by {name}{memory}\n")
                return 128 - first.exitcode
            return int(first.exitcode) or 1
        except SignalException as error:
            with suppress(OSError, ValueError):
                return int(failure.read_text())
            return 128 + int(error.sigval)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
