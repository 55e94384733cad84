"""A whole run on this machine: freeze the run file, say what will be done, then one process a stage."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from dama.errors import MissingInput, ObjectMissing, Problem, SpecError, StageFailed
from dama.spec.load import dump
from dama.spec.nearest import nearest
from dama.spec.run import RunSpec
from dama.stages.base import Outcome, Planned, Stage, plan, record_outcome, run_stage
from dama.stages.freeze import freeze
from dama.stages.launch import PROGRAM, under_torchrun
from dama.stages.process import frozen_file, hand_on, no_commit, run_process
from dama.stages.publish import publish
from dama.stages.share import Share
from dama.storage.base import Store
from dama.storage.commit import read_commit
from dama.storage.layout import CURVES, run_prefix
from dama.storage.uri import open_store


@dataclass(frozen=True)
class Ran:
    """What became of one stage of a run."""

    planned: Planned
    reused: bool
    seconds: float


def run_all(
    spec: RunSpec,
    stages: tuple[Stage, ...],
    console: Console,
    *,
    program: Sequence[str] = PROGRAM,
    typed: str = "RUNFILE",
    goal: str | None = None,
    only: Sequence[str] | None = None,
    share: Share | None = None,
    verb: str = "run",
) -> tuple[Ran, ...]:
    """Run every stage of `spec` that is not committed yet, each in a process of its own; publish the report.

    `program` is what python gets to understand `stage NAME RUNFILE`; `verb` and `typed` are the command and
    the run file as the person typed them, for the line that says how to repeat. With a `goal` only the stages
    run that lead to it; with `only` those it names, and MissingInput says what else is not there that they
    read. With a `share` only that much of stages in shards is made, and a stage that reads what others still
    make is left to them. Raises StageFailed, and what `freeze` raises.
    """
    spec = freeze(spec)
    store, whole = open_store(spec.storage), plan(spec, stages)
    if goal is not None:
        whole = leading_to(find(whole, goal, stages, typed), whole)
    elif only is not None:
        whole = _those(only, whole, store, typed)
    commits = {name: read_commit(store, planned.prefix) for name, planned in whole.items()}
    for name, planned in whole.items():
        if commits[name] is None:
            planned.stage.ready(spec)
    _say_plan(console, spec, store, whole, {name for name, commit in commits.items() if commit})
    _write_runfile(store, spec)
    ran = []
    with frozen_file(spec) as runfile:
        for name, planned in whole.items():
            commit = commits[name]
            if commit is not None:
                record_outcome(store, spec.name, planned, Outcome(commit, reused=True, seconds=0.0))
                ran.append(Ran(planned, reused=True, seconds=0.0))
                continue
            if not _inputs_there(store, planned, whole):
                console.print(f"[bold]{name}[/]: left to the process that makes the last shard")
                continue
            part = f" (share {share})" if share is not None and planned.stage.in_shards else ""
            console.print(f"[bold]{name}[/]: {escape(planned.stage.title)}{part}")
            started = time.monotonic()
            ended = run_process(spec, planned, runfile, program=program, typed=typed, share=share, verb=verb)
            if ended.signal is not None:
                ended.stop()
            seconds = time.monotonic() - started
            console.print(f"  [green]done[/] in {seconds:.1f} s")
            ran.append(Ran(planned, reused=False, seconds=seconds))
    publish(store, spec, whole)
    return tuple(ran)


def leading_to(goal: Planned, whole: Mapping[str, Planned]) -> dict[str, Planned]:
    """Return the stages that `goal` reads, those that these read, and so on, in order; itself last."""
    wanted, new = {goal.stage.name}, list(goal.inputs)
    while new:
        name = new.pop()
        wanted.add(name)
        new += whole[name].inputs
    return {name: planned for name, planned in whole.items() if name in wanted}


def _those(only: Sequence[str], whole: Mapping[str, Planned], store: Store, typed: str) -> dict[str, Planned]:
    """Return the stages that `only` names; MissingInput for what they read of others and is not there."""
    those = {name: planned for name, planned in whole.items() if name in only}
    for name, planned in those.items():
        others = [whole[read] for read in planned.inputs if read not in those]
        if others and read_commit(store, planned.prefix) is None:
            for other in others:
                if read_commit(store, other.prefix) is None:
                    raise MissingInput(name, other.stage.name, f"{store.uri}/{other.prefix}", typed)
    return those


def _inputs_there(store: Store, planned: Planned, whole: Mapping[str, Planned]) -> bool:
    """Say whether a stage can be made now; one in shards reads others in shards as they come."""
    return all(
        read_commit(store, whole[name].prefix) is not None
        for name in planned.inputs
        if name in whole and not (planned.stage.in_shards and whole[name].stage.in_shards)
    )


def run_one(
    spec: RunSpec,
    name: str,
    stages: tuple[Stage, ...],
    *,
    program: Sequence[str] = PROGRAM,
    typed: str = "RUNFILE",
    share: Share | None = None,
) -> Outcome:
    """Run one stage of a frozen run, or a share of it: here, or by torchrun when it has several ranks."""
    whole = plan(spec, stages)
    planned = find(whole, name, stages, typed)
    if planned.stage.ranks(spec) > 1 and not under_torchrun():
        store = open_store(spec.storage)
        commit = read_commit(store, planned.prefix)
        if commit is not None:
            record_outcome(store, spec.name, planned, Outcome(commit, reused=True, seconds=0.0))
            return Outcome(commit, reused=True, seconds=0.0)
        started = time.monotonic()
        with frozen_file(spec) as runfile:
            ended = run_process(spec, planned, runfile, program=program, typed=typed, again=False)
        hand_on(ended, planned)
        commit = read_commit(store, planned.prefix)
        if commit is None:
            raise no_commit(store, planned)
        return Outcome(commit, reused=False, seconds=time.monotonic() - started)
    try:
        return run_stage(spec, planned, whole, share)
    except MissingInput as error:
        raise error.naming(typed) from error


def find(
    whole: Mapping[str, Planned], name: str, stages: tuple[Stage, ...], typed: str = "RUNFILE"
) -> Planned:
    """Return the stage called `name`; SpecError if there is none, StageFailed if this run leaves it out."""
    require_stage(name, stages)
    if name not in whole:
        raise StageFailed(
            f"this run has no stage '{name}'", wanted=", ".join(whole), do=f"see `dama validate {typed}`"
        )
    return whole[name]


def require_stage(name: str, stages: tuple[Stage, ...]) -> None:
    """Raise SpecError, a wrong command line, when no stage is called `name`."""
    known = [stage.name for stage in stages]
    if name not in known:
        found, do = f"no stage is called '{name}'", nearest(name, known)
        raise SpecError([Problem("NAME", found, wanted=", ".join(known), do=do)], "command line")


def _say_plan(
    console: Console, spec: RunSpec, store: Store, whole: Mapping[str, Planned], there: set[str]
) -> None:
    console.print(f"run [bold]{escape(spec.name)}[/] in {escape(store.uri)}", soft_wrap=True)
    width = max((len(name) for name in whole), default=0)
    for name, planned in whole.items():
        state = "[dim]reused[/]" if name in there else "[yellow]to do[/] "
        ranks = planned.stage.ranks(spec)
        where = f" ({ranks} ranks)" if ranks > 1 else ""
        console.print(f"  {state}  {name:<{width}}  {escape(planned.stage.title)}{where}", soft_wrap=True)


def _write_runfile(store: Store, spec: RunSpec) -> None:
    """Write the frozen run file into the run's folder; what another run file left there goes, but not the
    curves of its trainings, which lie in folders of their own and nowhere else."""
    key, text = f"{run_prefix(spec.name)}/run.yaml", dump(spec).encode()
    try:
        if store.get_bytes(key) == text:
            return
    except ObjectMissing:
        pass
    folder = f"{run_prefix(spec.name)}/"
    for old in list(store.keys(folder)):
        if not old.startswith(f"{folder}{CURVES}/"):
            store.delete(old)
    store.put_bytes(key, text)
