"""A stage's process, as this one looks after it: started again when it asks for it, its end handed on."""

from __future__ import annotations

import shlex
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dama.errors import RestartMe, StageFailed
from dama.spec.load import dump
from dama.spec.run import RunSpec
from dama.stages.base import Planned
from dama.stages.launch import PROGRAM, TYPED, Ended, call, command, environment
from dama.stages.share import Share
from dama.storage.base import Store
from dama.storage.commit import COMMIT
from dama.storage.layout import checkpoints_prefix
from dama.storage.uri import open_store

RESTARTS = 5
"""How often in a row a stage may ask for another start without having got further."""


@contextmanager
def frozen_file(spec: RunSpec) -> Iterator[Path]:
    """Write a frozen run file for the processes of its stages, until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="dama-run-") as folder:
        runfile = Path(folder) / "run.yaml"
        runfile.write_text(dump(spec), encoding="utf-8")
        yield runfile


def run_process(
    spec: RunSpec,
    planned: Planned,
    runfile: Path,
    *,
    program: Sequence[str] = PROGRAM,
    typed: str = "RUNFILE",
    again: bool = True,
    share: Share | None = None,
    verb: str = "run",
) -> Ended:
    """Run one stage of the frozen `runfile` as a process; say how it ended, StageFailed when it failed.

    A stage that asks for another start gets it with `again`: as often as it likes while each start brings a
    newer checkpoint, else RESTARTS times. It returns with code 0, or 75 without `again`, or when this process
    got a signal meanwhile.
    """
    stage, store = planned.stage, open_store(spec.storage)
    argv = command(stage, spec, runfile, program, share)
    environ = {**environment(stage, spec), TYPED: typed}
    starts, restarts, mark = 0, 0, _newest_commit(store, planned)
    while True:
        ended = call(argv, environ)
        starts += 1
        if ended.signal is not None or ended.code == 0:
            return ended
        if ended.code != RestartMe.exit_code:
            break
        if not again:
            return ended
        before, mark = mark, _newest_commit(store, planned)
        restarts = 0 if mark > before else restarts + 1
        if restarts > RESTARTS:
            break
    code = ended.code
    if code < 0:
        how = f"was ended by {signal.Signals(-code).name}"
        if -code == signal.SIGKILL:
            how += " (is memory short?)"
    elif code == RestartMe.exit_code:
        how = f"asked for another start {starts} times"
    else:
        how = f"failed with exit code {code}"
    part = "" if share is None else f" --shard {share}"
    repeat = f"`dama stage {shlex.quote(stage.name)} {typed}{part if stage.in_shards else ''}`"
    raise StageFailed(
        f"stage '{stage.name}' {how}",
        do=f"see its line above; {repeat} repeats it, `dama {verb} {typed}{part}` goes on",
    )


def hand_on(ended: Ended, planned: Planned) -> None:
    """End this process as its child ended, unless that ended well.

    SystemExit with RestartMe's code, or RestartMe, where the same command goes on; else what the signal that
    this process got demands.
    """
    if ended.code == RestartMe.exit_code:
        raise SystemExit(RestartMe.exit_code)  # a rank has said why
    if ended.signal is not None and ended.code:
        if planned.stage.goes_on and ended.code > 0:  # it came while the ranks were being started
            raise RestartMe("stopped before the first step; the same command goes on")
        ended.stop()


def no_commit(store: Store, planned: Planned) -> StageFailed:
    """Return the error of a process that ended well and did not do its work."""
    name = planned.stage.name
    return StageFailed(f"stage '{name}' ended well and left no commit in {store.uri}/{planned.prefix}")


def _newest_commit(store: Store, planned: Planned) -> str:
    """Return the newest commit below an artifact's prefix, its checkpoints', which sort by their step."""
    keys = store.keys(f"{checkpoints_prefix(planned.prefix)}/")
    return max((key for key in keys if key.endswith(f"/{COMMIT}")), default="")
