"""One CUDA GPU, LLaVA-1.5-7B's exact shape with random weights: preferences/s, MFU and peak memory.

    python tests/bench/gpu.py [--shape llava-1.5-7b] [--repeats 5] [--optimizer auto|in|out] [--tflops N]

Weights are made on the device, nothing is downloaded. Plain DPO on one micro-batch of four, and one DAMA
optimizer batch (12 kept of 16) in micro-batches of four: the usual concatenated way, against shared rows with
dense masks (SDPA) and with FlexAttention. bf16; with gradient checkpointing, and for our DAMA also without,
since its second pass may leave it out where memory allows. All in one process on one model, in turn.

MFU counts useful operations only: image and prompt once, the head on answers, forward and backward of what is
learned, forward of what is dropped. Recomputation, copies of the prefix and padding are never useful, so the
usual way's MFU says how much of the device is spent on what had to be done.

The optimizer (AdamW with float32 masters and moments, 12 bytes a weight beside weights and gradients) is left
out below 140 GB, because a 7B's does not fit; the head of the table says which.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from device import Device, MasterAdamW
from ours import shared_dama, shared_dpo
from shapes import SHAPES, Shape, new_llava, preferences
from table import Target, heading, ratios, spread, table
from usual import released_dama, usual_dpo

from dama.loss.dama import Method, RunningMean
from dama.model.layout import Layout
from dama.model.logps import AnswerLogps

BATCH, KEEP, MICRO = 16, 12, 4
OPTIMIZER_BYTES = 140e9
DPO, DAMA, MFU = Target("least", 1.6), Target("least", 2.0), Target("least", 45.0)


@dataclass(frozen=True)
class Way:
    """A line of the table: a method, how it is computed, and the work of one step."""

    method: str
    name: str
    attention: str
    recompute: bool
    preferences: int
    flops: float
    """Useful floating-point operations of a step."""
    run: Callable[[AnswerLogps], object]


@dataclass
class Found:
    """What was measured of a way; seconds stay empty when it did not fit."""

    seconds: list[float]
    peak_gib: float = 0.0


def main(argv: list[str] | None = None) -> None:
    """Measure and print; say so and return where there is no CUDA device."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", choices=sorted(SHAPES), default="llava-1.5-7b")
    parser.add_argument("--device", default="cuda", help="cpu only tries the script, at a minute shape")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--tflops", type=float, help="what the device promises in bf16, where it is not known"
    )
    parser.add_argument("--optimizer", choices=["auto", "in", "out"], default="auto")
    asked = parser.parse_args(argv)
    if asked.device != "cpu" and not torch.cuda.is_available():
        print("no CUDA device")
        return
    device, shape = Device(asked.device), SHAPES[asked.shape]
    llava = new_llava(shape, device=asked.device, dtype=torch.bfloat16 if device.cuda else torch.float32)
    AnswerLogps(llava).train()  # freezes the vision tower
    trained = [parameter for parameter in llava.parameters() if parameter.requires_grad]
    with_optimizer = asked.optimizer == "in" or (
        asked.optimizer == "auto" and device.bytes >= OPTIMIZER_BYTES
    )
    optimizer = MasterAdamW(trained, 1e-6) if with_optimizer else None
    heading(
        "One GPU: the usual way, shared rows with SDPA, shared rows with FlexAttention",
        shape.line(),
        f"{device.title}; {'bf16' if device.cuda else 'fp32'}, micro-batches of {MICRO}, optimizer step "
        f"{'included' if optimizer else 'excluded'}; {asked.repeats} repeats in turn after two to warm up",
    )
    ways = _ways(shape, llava, flex=device.cuda)
    found = {way: Found([]) for way in ways}
    fitting = list(ways)
    for repeat in range(-2, asked.repeats):
        for way in list(fitting):
            try:
                seconds, peak = _timed(way, llava, device, optimizer)
            except torch.OutOfMemoryError:
                fitting.remove(way)
                found[way] = Found([])
                llava.zero_grad()
                continue
            if repeat >= 0:
                found[way].seconds.append(seconds)
                found[way].peak_gib = max(peak, found[way].peak_gib)
    _show(found, asked.tflops * 1e12 if asked.tflops else device.peak_flops())


def _ways(shape: Shape, llava: torch.nn.Module, *, flex: bool) -> list[Way]:
    from dama.model.flops import useful_flops
    from dama.model.shape import model_shape

    batch = preferences(shape, BATCH)
    reference_N2, alpha_N = torch.full((BATCH, 2), -10.0 * shape.answer), torch.ones(BATCH)
    of = model_shape(llava.config.to_dict())  # type: ignore[operator, union-attr]
    answers = (shape.answer, shape.answer)
    learned, seen = (useful_flops(of, shape.prompt, answers, learned=which) for which in (True, False))
    method = Method(keep=KEEP)

    def dpo(model: AnswerLogps) -> object:
        return shared_dpo(model, batch[:MICRO], reference_N2[:MICRO])

    def dama(model: AnswerLogps) -> object:
        return shared_dama(model, batch, reference_N2, alpha_N, MICRO, method, RunningMean())

    def usual(model: AnswerLogps) -> object:
        return usual_dpo(model.llava, batch[:MICRO], reference_N2[:MICRO])

    def released(model: AnswerLogps) -> object:
        return released_dama(model.llava, batch, reference_N2, alpha_N, MICRO)

    once, whole = MICRO * learned, KEEP * learned + (BATCH - KEEP) * seen
    ways = [Way("dpo", "concatenated", "sdpa", True, MICRO, once, usual)]
    ways += [Way("dama", "released way", "sdpa", True, BATCH, whole, released)]
    for attention in ("sdpa", "flex") if flex else ("sdpa",):
        ways.append(Way("dpo", f"shared, {attention}", attention, True, MICRO, once, dpo))
        ways.append(Way("dama", f"shared, {attention}", attention, True, BATCH, whole, dama))
        ways.append(
            Way("dama", f"shared, {attention}, no recomputation", attention, False, BATCH, whole, dama)
        )
    return sorted(ways, key=lambda way: way.method, reverse=True)


def _timed(
    way: Way, llava: torch.nn.Module, device: Device, optimizer: MasterAdamW | None
) -> tuple[float, float]:
    """Return seconds and peak GiB of one step of `way`."""
    llava.set_attn_implementation({"text_config": "sdpa"})  # type: ignore[operator]
    layout = Layout(attention="flex" if way.attention == "flex" else "sdpa")
    model = AnswerLogps(llava, layout, gradient_checkpointing=way.recompute)
    model.train()
    gc.collect()
    device.watch()
    device.wait()
    started = time.perf_counter()
    way.run(model)
    if optimizer is not None:
        optimizer.step()
    device.wait()
    seconds = time.perf_counter() - started
    peak = device.peak_gib()
    llava.zero_grad()
    return seconds, peak


def _show(found: dict[Way, Found], speed: float | None) -> None:
    rows = []
    for way, result in found.items():
        if not result.seconds:
            rows.append([way.method, way.name, "does not fit", "", "", ""])
            continue
        per_second = [way.preferences / s for s in result.seconds]
        mfu = spread([100 * way.flops / s / speed for s in result.seconds], 1) if speed else "not known"
        rows.append(
            [
                way.method,
                way.name,
                spread(result.seconds),
                spread(per_second),
                mfu,
                f"{result.peak_gib:.2f}",
            ]
        )
    table(["method", "way", "s a step", "preferences/s", "MFU, %", "peak GiB"], rows)
    verdicts = []
    for method, target in (("dpo", DPO), ("dama", DAMA)):
        of = {way: result for way, result in found.items() if way.method == method and result.seconds}
        usual = next((result for way, result in of.items() if not way.name.startswith("shared")), None)
        for way, result in of.items():
            if usual is None or result is usual:
                continue
            faster = ratios(usual.seconds, result.seconds)
            verdicts.append([method, f"times faster, {way.name}", spread(faster), target.verdict(faster)])
            if speed:
                mfu_values = [100 * way.flops / s / speed for s in result.seconds]
                verdicts.append(
                    [method, f"MFU in %, {way.name}", spread(mfu_values, 1), MFU.verdict(mfu_values)]
                )
    table(["method", "", "", ""], verdicts)


if __name__ == "__main__":
    main()
