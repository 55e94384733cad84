"""A plan as a person reads it: one table, what to change, what was assumed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dama.plan.device import GIB, GPUS
from dama.plan.forecast import checkpoint_bytes, model_bytes
from dama.plan.memory import PARTS
from dama.plan.paper import HOURS
from dama.plan.time import step_count

if TYPE_CHECKING:
    from rich.table import Table

    from dama.plan.plan import Plan

WIDTH = 100


def headings(plan: Plan) -> list[str]:
    """Return what the plan is of, in three lines."""
    case, train, method = plan.case, plan.spec.train, plan.spec.method
    model = plan.spec.model
    name = model.id if model.kind == "hub" else model.path if model.kind == "local" else "the miniature LLaVA"
    whole, moved = _count(case.parameters), _count(case.trained)
    kept = "" if case.kept == case.batch else f", {case.kept} of {case.batch} kept"
    offload = ", optimizer on the host" if case.offload else ""
    layout = f"{case.ranks} × {case.per_device} × accumulation {case.accumulation} = {case.batch}"
    tokens = f"of {case.prompt} + 2 × {case.answer} tokens"
    if train.max_steps is not None:
        length = f"{train.max_steps:,} steps of {case.batch} preferences {tokens}"
    else:
        steps = step_count(case.batch, plan.preferences, train.epochs, None)
        length = f"{plan.preferences:,} preferences {tokens}, {train.epochs:g} epochs = {steps:,} steps"
    return [
        f"{short(plan.spec.name, 24)}: {short(name, 36)}, {whole} parameters, {moved} trained",
        f"{method.name}{kept}; batch {layout}; {train.dtype}, ZeRO-{case.stage}{offload}",
        length,
    ]


def table(plan: Plan) -> Table:
    """Return memory by component and time, a column a device."""
    from rich import box
    from rich.table import Table

    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    found.add_column("GiB a rank" if plan.forecasts[0].device == "cpu" else "GiB a GPU")
    for forecast in plan.forecasts:
        found.add_column(forecast.device, justify="right")
    for part in PARTS:
        sizes = [forecast.memory.parts.get(part, 0) for forecast in plan.forecasts]
        if any(sizes):
            found.add_row(part, *(_gib(size) if size else "" for size in sizes))
    found.add_row("needed", *(f"[bold]{_gib(one.memory.total)}[/]" for one in plan.forecasts))
    found.add_row("there is", *(_gib(one.capacity) for one in plan.forecasts))
    verdicts = ["[green]fits[/]" if one.fits else "[red]does not fit[/]" for one in plan.forecasts]
    found.add_row("", *verdicts, end_section=True)
    found.add_row("worst moment", *(one.memory.moment for one in plan.forecasts))
    ways = [one.memory.passing for one in plan.forecasts]
    found.add_row("passes", *("two" if way.two else "one" for way in ways))
    found.add_row("backward at a time", *(str(way.micro_batch) for way in ways))
    found.add_row("recompute", *("yes" if way.recompute else "no" for way in ways))
    times = [one.time for one in plan.forecasts if one.time is not None]
    if times:
        found.add_row("step, s", *(f"{one.step:.2f}" for one in times))
        found.add_row("preferences/s", *(f"{one.preferences_per_second:.1f}" for one in times))
        found.add_row("MFU", *(f"{one.mfu:.0%}" for one in times))
        found.add_row("hours", *(f"[bold]{one.hours:.1f}[/]" for one in times))
        found.add_row("GPU-hours", *(f"{one.hours * plan.case.ranks:.1f}" for one in times))
    return found


def notes(plan: Plan) -> Iterator[str]:
    """Give what stands below the table: disk, host, the paper, what was assumed."""
    case, keep = plan.case, plan.spec.train.keep_last
    checkpoint = checkpoint_bytes(case)
    yield (
        f"In the store: checkpoints of {_gib(checkpoint)} GiB, {keep} kept; "
        f"the model, {_gib(model_bytes(case))} GiB."
    )
    host = plan.forecasts[0].memory.host * case.ranks // case.nodes
    if host:
        yield f"On each host: {_gib(host)} GiB, pinned for the most part, for the optimizer."
    if plan.paper is not None and plan.forecasts[0].time is not None:
        paper = plan.paper
        yield (
            f"The paper took {HOURS:g} h on four A100-80: image and prompt twice, backward through the "
            f"dropped too,"
        )
        yield (
            f"{paper.operations:.1f} times these operations, at {paper.efficiency:.0%} of peak if its "
            "answers were as long."
        )
    named = ", ".join(
        f"{one.device} {plan.asked.efficiency or GPUS[one.device].efficiency:.0%}"
        for one in plan.forecasts
        if one.device in GPUS
    )
    if named:
        yield f"Assumed: of peak, operations reach {named} (--efficiency); of NVLink, 70 %."
    yield (
        f"Memory is for answers of {case.longest} tokens (--answer-tokens, --prompt-tokens say otherwise)."
    )


def changes(plan: Plan) -> Iterator[str]:
    """Give what to change, as lines to paste, where a device is too small."""
    short_of = next((one for one in plan.forecasts if not one.fits), None)
    if short_of is None:
        return
    if not plan.proposals:
        if short_of.device != "cpu":
            yield f"Nothing that was tried fits on {short_of.device}: a smaller model or LoRA may."
        return
    yield f"On {short_of.device} these fit:"
    for proposal in plan.proposals:
        hours = proposal.forecast.time.hours if proposal.forecast.time else 0.0
        yield f"  {proposal.why} ({_gib(proposal.forecast.memory.total)} GiB, {hours:.1f} h)"
        yield from _pasted(proposal.overrides)


def _pasted(overrides: tuple[str, ...]) -> Iterator[str]:
    """Give `--set` arguments as lines that a shell takes, none too wide."""
    line = "   "
    for item in overrides:
        if len(line) + len(item) > WIDTH - 10:
            yield line + " \\"
            line = "   "
        line += f" --set {item}"
    yield line


def short(text: str, most: int) -> str:
    """Return `text` in at most so many characters, its middle left out where it is longer."""
    if len(text) <= most:
        return text
    front = (most - 1) // 2
    return f"{text[:front]}…{text[-(most - 1 - front) :]}"


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}" if size >= GIB // 10 else f"{size / GIB:.3f}"


def _count(number: int) -> str:
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.2f} {name}"
    return str(number)
