"""Four small stages and the command that runs one of them: what `python -m dama` is to the real ones.

    python small_pipeline.py stage NAME RUNFILE [--frozen]

Environment: MISBEHAVE="STAGE=WHAT" makes a stage fail, hang, die, ask for another start; NOTES names a folder
where every process that really works leaves a file.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dama.errors import DamaError, DataError, RestartMe
from dama.spec.load import load
from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext, plan, run_stage
from dama.stages.launch import live_as_child
from dama.stages.logger_packages import require_loggers
from dama.stages.torchrun import note_failure
from dama.storage.commit import delete_artifact
from dama.storage.layout import checkpoints_prefix


def _misbehave(context: StageContext) -> None:
    name, _, what = os.environ.get("MISBEHAVE", "").partition("=")
    if name != context.planned.stage.name:
        return
    rank = int(os.environ.get("RANK", "0"))
    notes = Path(os.environ["NOTES"])
    if what == "fail":
        raise DataError("row 7 is wrong")
    if what == "fail-rank-1" and rank == 1:
        raise DataError("row 7 is wrong on rank 1")
    if what == "kill" or (what == "kill-rank-1" and rank == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "restart-twice" and len(list(notes.glob(f"{name}-*"))) <= 2:
        raise RestartMe
    if what == "restart-ranks" and rank == 0 and not (notes / "asked").exists():
        (notes / "asked").touch()
        raise RestartMe
    if what == "restart-always":
        raise RestartMe
    if what == "restart-further" and len(list(notes.glob(f"{name}-*"))) <= 8:
        step = len(list(notes.glob(f"{name}-*")))
        place = f"{checkpoints_prefix(context.planned.prefix)}/step-{step:06d}"
        context.store.put_bytes(f"{place}/commit.json", b"{}")
        raise RestartMe("saved")
    if what == "steps":
        context.stopping.wait_for_steps()
        (notes / f"hanging-{os.getpid()}").touch()
        while not context.stopping.asked:
            time.sleep(0.01)
        raise RestartMe("saved at step 7")
    if what in ("hang", "fail-rank-1", "kill-rank-1"):
        (notes / f"hanging-{os.getpid()}").touch()
        time.sleep(120)
    if what == "orphan":
        if os.fork() == 0:
            (notes / f"hanging-{os.getpid()}").touch()
            time.sleep(120)
            os._exit(0)
        while not list(notes.glob("hanging-*")):
            time.sleep(0.01)


def _meet() -> None:
    """Wait for the other ranks, as the first collective of a real stage does."""
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if ranks == 1:
        return
    folder = Path(os.environ["NOTES"]).parent / os.environ["TORCHELASTIC_RUN_ID"]
    folder.mkdir(exist_ok=True)
    (folder / os.environ["RANK"]).touch()
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) < ranks and time.monotonic() < deadline:
        time.sleep(0.01)


def _run(context: StageContext) -> Mapping[str, Any]:
    name = context.planned.stage.name
    if notes := os.environ.get("NOTES"):
        rank = os.environ.get("RANK", "0")
        (Path(notes) / f"{name}-{os.getpid()}-{secrets.token_hex(3)}-{rank}").touch()
    _misbehave(context)
    _meet()
    came = {stage: (folder / "out.txt").read_text() for stage, folder in context.inputs.items()}
    (context.out / "out.txt").write_text(f"{name}({','.join(came.values())}) seed {context.spec.train.seed}")
    if name == "report":
        (context.out / "report.html").write_text("<p>all is well</p>")
        (context.out / "summary.json").write_text('{"name": "small"}')
    return {"inputs": sorted(context.inputs)}


def _stage(name: str, *reads: str, ranks: int = 1, goes_on: bool = False) -> Stage:
    return Stage(
        name=name,
        version=1,
        reads=lambda spec: reads,
        key=lambda spec: {"seed": spec.train.seed} if name == "train" else {},
        run=_run,
        title=f"makes {name}",
        ranks=lambda spec: ranks if spec.train.ranks > 1 else 1,
        wanted=lambda spec: name != "extra" or spec.world is not None,
        goes_on=goes_on,
        ready=lambda spec: require_loggers(spec.train.report_to if name == "train" else ()),
        tidy=lambda store, prefix: delete_artifact(store, checkpoints_prefix(prefix)),
    )


STAGES = (
    _stage("extra"),
    _stage("data"),
    _stage("train", "data", ranks=2, goes_on=True),
    _stage("report", "data", "train"),
)


def main() -> int:
    """Run one stage as `dama stage` does."""
    live_as_child()
    _, _, name, runfile, *_ = sys.argv
    spec: RunSpec = load(Path(runfile))
    whole = plan(spec, STAGES)
    try:
        run_stage(spec, whole[name], whole)
    except RestartMe as wish:
        if note_failure(wish.exit_code) and str(wish):
            sys.stderr.write(f"small: {wish}\n")
        return wish.exit_code
    except DamaError as error:
        if note_failure(error.exit_code):
            sys.stderr.write(f"small: error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
