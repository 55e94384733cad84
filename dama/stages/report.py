"""Stage `report`: every artifact of a run -> one page, its pictures and tables, and a summary."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dama.errors import MissingInput
from dama.report.runfile import shown_parts
from dama.spec.run import RunSpec
from dama.stages.base import Planned, Stage, StageContext
from dama.stages.made import read_made
from dama.storage.base import Store
from dama.storage.commit import Commit, fetch_artifact, read_commit

if TYPE_CHECKING:
    from dama.report.view import RunView, StageTime

_UNREAD = ("model/", "adapter/")
"""Parts of stage `train` that no page shows; they may be tens of gigabytes."""


def load_view(spec: RunSpec, store: Store, plan: Mapping[str, Planned]) -> RunView:
    """Read the committed artifacts of a frozen run; MissingInput names the first stage that is not there."""
    from dama.report.loading import Sources, load_run

    folders, metas = {}, {}
    with tempfile.TemporaryDirectory(prefix="dama-view-", dir=spec.storage.scratch) as scratch:
        for name in plan["report"].inputs:
            commit = read_commit(store, plan[name].prefix)
            if commit is None:
                raise MissingInput("report", name, f"{store.uri}/{plan[name].prefix}")
            wanted = {part: size for part, size in commit.parts.items() if not part.startswith(_UNREAD)}
            commit = Commit(wanted, commit.meta)
            folders[name] = fetch_artifact(store, plan[name].prefix, commit, Path(scratch))
            metas[name] = commit.meta
        return load_run(spec, Sources(folders, metas, _digests(store, plan), _times(spec.name, store, plan)))


def compare_runs(runs: Sequence[tuple[RunSpec, Store, Mapping[str, Planned]]], out: Path) -> Path:
    """Write a comparison of several frozen runs into `out`; return its page."""
    from dama.report.page import COMPARISON, compare

    compare([load_view(spec, store, plan) for spec, store, plan in runs], out)
    return out / COMPARISON


def _digests(store: Store, plan: Mapping[str, Planned]) -> dict[str, str]:
    commits = {name: read_commit(store, planned.prefix) for name, planned in plan.items() if name != "report"}
    return {name: commit.digest() for name, commit in commits.items() if commit is not None}


def _times(run: str, store: Store, plan: Mapping[str, Planned]) -> tuple[StageTime, ...]:
    """Return what every stage took when its artifact was made, by this run or by another."""
    from dama.report.view import StageTime

    times = []
    for name, planned in plan.items():
        if name == "report":
            continue
        made = read_made(store, planned.prefix)
        if not made:
            continue
        maker = str(made.get("run", run))
        notes = {
            key: f"{value:,.4g}" if isinstance(value, float) else str(value)
            for key, value in sorted(made.items())
            if key not in ("stage", "run", "seconds") and isinstance(value, str | int | float)
        }
        seconds = float(made.get("seconds", "nan"))
        times.append(StageTime(name, planned.stage.title, seconds, maker != run, maker, notes))
    return tuple(times)


def _reads(spec: RunSpec) -> tuple[str, ...]:
    alpha = ("alpha",) if spec.hardness is not None else ()
    measured = ("baseline", "evaluate") if spec.evaluate.benchmarks else ()
    return ("data", *alpha, *measured[:1], "train", *measured[1:])


def _run(context: StageContext) -> dict[str, Any]:
    from dama.report.loading import Sources, load_run
    from dama.report.page import write_report

    spec, store = context.spec, context.store
    times = _times(spec.name, store, context.plan)
    view = load_run(spec, Sources(context.inputs, context.metas, _digests(store, context.plan), times))
    summary = write_report(view, context.out)
    return {"verdict": summary.verdict, "warnings": list(summary.warnings)}


STAGE = Stage(
    name="report",
    version=2,
    reads=_reads,
    key=shown_parts,
    run=_run,
    title="write the page, its pictures and tables, and the summary",
)
