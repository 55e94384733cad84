"""`dama logs`: what the pods of a run say."""

from __future__ import annotations

import threading
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dama.cli.arguments import Context, Namespace, RunName

if TYPE_CHECKING:
    from dama.cluster.client import Cluster
    from dama.cluster.pods import Pod

_PAUSE_SECONDS = 2.0


class StepName(StrEnum):
    """A step of a run."""

    PREPROCESS = "preprocess"
    TRAIN = "train"
    EVALUATE = "evaluate"
    RELEASE = "release"


def logs(
    name: RunName,
    step: Annotated[
        StepName | None, typer.Argument(metavar="[STEP]", help="preprocess, train, evaluate or release.")
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
) -> None:
    """Print the logs of run NAME, or of one of its steps, each line with its pod in front."""
    from dama.cluster.client import Cluster
    from dama.cluster.pods import pods_of
    from dama.cluster.runs import find_run

    cluster = Cluster.reached(namespace, context)
    run = find_run(cluster, name)
    exact = f"{run.name}-{run.hash}"
    seen: set[str] = set()
    threads: list[threading.Thread] = []
    while True:
        for pod in pods_of(cluster, run):
            if pod.name in seen or (step is not None and pod.step != step) or pod.started is None:
                continue
            if follow and pod.phase not in ("Running", "Succeeded", "Failed", "CrashLoopBackOff"):
                continue
            seen.add(pod.name)
            if follow:
                threads.append(threading.Thread(target=_tell, args=(cluster, pod, True), daemon=True))
                threads[-1].start()
            else:
                _tell(cluster, pod, False)
        if not follow:
            return
        if run.state.ended:
            break
        time.sleep(_PAUSE_SECONDS)
        run = find_run(cluster, exact)
    for thread in threads:
        thread.join(timeout=10)


def _tell(cluster: Cluster, pod: Pod, follow: bool) -> None:
    for line in cluster.log(pod.name, pod.container, follow=follow):
        typer.echo(f"{pod.name}  {line}")
