"""A step of a run, as one pod does it: some stages, one after the other, each in a process of its own.

Unlike `dama run` a step makes nothing that belongs to another step, and hands the wish for another start on.
Steps on several machines are started on each; the machine without the first rank waits for
the commit that is written on the other one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markup import escape

from dama.spec.run import RunSpec
from dama.stages.base import Outcome, Planned, Stage, plan, record_outcome
from dama.stages.launch import PROGRAM
from dama.stages.machines import machines
from dama.stages.process import frozen_file, hand_on, no_commit, run_process
from dama.stages.publish import publish
from dama.storage.base import Store
from dama.storage.commit import read_commit
from dama.storage.uri import open_store

STEPS = {
    "train": ("reference", "train"),
    "answers": ("baseline-answers", "answers"),
    "evaluate": ("baseline-answers", "baseline", "answers", "evaluate", "report"),
}
"""The stages of each step, in order."""
_COMMIT_SECONDS = 3600.0
_PAUSE_SECONDS = 2.0


def run_step(
    spec: RunSpec,
    names: Sequence[str],
    stages: tuple[Stage, ...],
    console: Console,
    *,
    verb: str,
    program: Sequence[str] = PROGRAM,
    typed: str = "RUNFILE",
) -> None:
    """Run those of the stages `names` that the frozen `spec` has and nobody has committed, then publish.

    Raises StageFailed for a stage that fails, SystemExit with RestartMe's code for one that saved its state.
    """
    store, whole = open_store(spec.storage), plan(spec, stages)
    with frozen_file(spec) as runfile:
        for name in names:
            planned = whole.get(name)
            if planned is None:
                continue
            commit = read_commit(store, planned.prefix)
            if commit is not None:
                console.print(f"[bold]{name}[/]: already there")
                record_outcome(store, spec.name, planned, Outcome(commit, reused=True, seconds=0.0))
                continue
            console.print(f"[bold]{name}[/]: {escape(planned.stage.title)}")
            ended = run_process(spec, planned, runfile, program=program, typed=typed, again=False, verb=verb)
            hand_on(ended, planned)
            _await_commit(store, planned)
    publish(store, spec, whole)


def _await_commit(store: Store, planned: Planned, pause: Callable[[float], None] = time.sleep) -> None:
    """Return once the stage's commit is there: at once, or after the machine with the first rank wrote it."""
    waited = 0.0
    while read_commit(store, planned.prefix) is None:
        if machines().count == 1 or waited > _COMMIT_SECONDS:
            raise no_commit(store, planned)
        pause(_PAUSE_SECONDS)
        waited += _PAUSE_SECONDS
