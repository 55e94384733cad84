"""What a person wants to see of a run on a cluster, on one screen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dama.cluster.client import Cluster
    from dama.cluster.pods import Pod
    from dama.cluster.runs import Run

_COLOURS = {"done": "green", "failed": "red", "running": "yellow"}
_AT_MOST = 3


def page_of(cluster: Cluster, run: Run) -> RenderableType:
    """Return a run's steps with their pods, how far they are, what went wrong, and GPU-hours so far."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from dama.cluster.pods import last_lines, pods_of, progress_of, store_pods
    from dama.cluster.state import state_of
    from dama.manifests.names import STEPS

    pods, now, state = pods_of(cluster, run), datetime.now(UTC), run.state
    told: list[str] = []
    table = Table("step", "state", "pods", "started again", "GPU-hours", box=None, pad_edge=False)
    lines: list[RenderableType] = [
        Text.from_markup(f"run [bold]{run.name}[/] ({run.hash}): {painted(state.phase)}, {age(run.since)}"),
        table,
    ]
    for step in STEPS:
        mine = [pod for pod in pods if pod.step == step]
        if step not in run.steps and not mine:
            continue
        phase = state_of(run.steps[step]).phase if step in run.steps else "running"
        hours = sum(pod.gpu_hours(now) for pod in mine)
        again = sum(pod.restarts for pod in mine) + sum(pod.phase == "Failed" for pod in mine)
        table.add_row(step, painted(phase), _pods(mine), str(again or ""), f"{hours:.2f}" if hours else "")
        for pod in mine:
            if pod.phase == "Running" and (line := progress_of(last_lines(cluster, pod))):
                lines.append(Text(f"{step}: {line}"))
        if phase != "done":  # what a step got over in the end is no news
            told += [f"{pod.name}: {pod.message}" for pod in mine if pod.message]
    stores = store_pods(cluster, run)
    if stores and all(pod.phase != "Running" for pod in stores):  # nothing goes on without it
        told += [f"the run's S3 server does not run: {pod.name}: {pod.phase}" for pod in stores]
    lines += [Text(line, style="red") for line in told[-_AT_MOST:]]
    if state.phase == "failed":
        lines.append(Text(state.reason, style="red"))
    names = {pod.name for pod in (*pods, *stores)} | {one["metadata"]["name"] for one in run.steps.values()}
    warnings = [one for one in cluster.events(names) if one.get("type") == "Warning"]
    for one in warnings[-_AT_MOST:]:
        lines.append(Text(f"{one['involvedObject']['name']}: {one.get('message', '')}", style="dim"))
    lines.append(Text(f"GPU-hours so far: {sum(pod.gpu_hours(now) for pod in pods):.2f}"))
    return Group(*lines)


def painted(phase: str) -> str:
    """Return a phase in its colour."""
    colour = _COLOURS.get(phase)
    return f"[{colour}]{phase}[/]" if colour else phase


def age(since: datetime) -> str:
    """Return how long ago something was, in minutes and hours."""
    minutes = int((datetime.now(UTC) - since).total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _pods(pods: list[Pod]) -> str:
    counts: dict[str, int] = {}
    for pod in pods:
        counts[pod.phase] = counts.get(pod.phase, 0) + 1
    return ", ".join(f"{count} {phase}" for phase, count in counts.items())
