"""Predicted memory (`dama plan`) against what torch counts: forward and backward of one micro-batch.

    python tests/bench/memory.py [--shape llava-1.5-7b] [--device cuda]

bf16 on CUDA, where `torch.cuda.max_memory_allocated` counts; fp32 on the CPU, where every tensor's storage is
counted. No optimizer: its 12 bytes a weight are exact by themselves, and a 7B's leave no room on most GPUs.
One rank without ZeRO, as `dama plan` reckons it with the optimizer's share taken out.
"""

from __future__ import annotations

import argparse
import gc
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from shapes import SHAPES, Shape, new_llava, preferences
from table import heading, table

from dama.model.logps import AnswerLogps
from dama.model.rows import shared_rows
from dama.model.shape import model_shape
from dama.plan.activations import (
    largest_gradient,
    logits_kept,
    logits_working,
    looking,
    saved,
    working,
)
from dama.plan.case import Case, case_of
from dama.spec.load import parse

sys.path.append(str(Path(__file__).parent.parent / "plan"))
from live_bytes import LiveBytes

GIB = 2**30
WITHIN = 0.25
"""Prediction and measurement are to differ by no more than this."""


def main(argv: list[str] | None = None) -> None:
    """Measure and print; say so and return where there is no CUDA device."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", choices=sorted(SHAPES), default="llava-1.5-7b")
    parser.add_argument("--device", default="cuda")
    asked = parser.parse_args(argv)
    if asked.device != "cpu" and not torch.cuda.is_available():
        print("no CUDA device")
        return
    shape, cuda = SHAPES[asked.shape], asked.device != "cpu"
    dtype = torch.bfloat16 if cuda else torch.float32
    live = None if cuda else LiveBytes()
    with live or nullcontext():
        llava = new_llava(shape, device=asked.device, dtype=dtype)
        rows = []
        for recompute in (True, False):
            for count in (1, 2, 4):
                rows.append(_line(llava, shape, count, recompute, live, asked.device))
    heading("Predicted and measured memory, forward and backward of one micro-batch", shape.line())
    table(["preferences", "recompute", "predicted GiB", "measured GiB", "ratio", ""], rows)


def _line(
    llava: Any, shape: Shape, count: int, recompute: bool, live: LiveBytes | None, device: str
) -> list[str]:
    model = AnswerLogps(llava, gradient_checkpointing=recompute).train()
    words = [str(count), "yes" if recompute else "no"]
    predicted = predicted_bytes(llava, shape, count, recompute)
    try:
        measured = measured_bytes(model, shape, count, live, device)
    except torch.OutOfMemoryError:
        return [*words, f"{predicted / GIB:.3f}", "does not fit", "", ""]
    finally:
        llava.zero_grad()
    ratio = predicted / measured
    verdict = "met" if abs(ratio - 1) <= WITHIN else "missed"
    return [
        *words,
        f"{predicted / GIB:.3f}",
        f"{measured / GIB:.3f}",
        f"{ratio:.2f}",
        f"asked within {WITHIN:.0%}: {verdict}",
    ]


def predicted_bytes(llava: Any, shape: Shape, count: int, recompute: bool) -> int:
    """Return weights, gradients, and the worse of the backward's two ends."""
    case = _case(llava, shape, count, recompute)
    kept, layer = saved(case, count, recompute=recompute), working(case, count, recompute=recompute)
    head = logits_kept(case, count) + logits_working(case, count)
    begins = kept + max(head, layer, looking(case, count)) + largest_gradient(case)
    ends = layer + case.weight * case.trained
    return case.weight * case.parameters + max(begins, ends)


def _case(llava: Any, shape: Shape, count: int, recompute: bool) -> Case:
    bf16 = llava.dtype == torch.bfloat16
    settings = [
        f"train.batch={count}",
        "train.ranks=1",
        f"train.per_device_batch={count}",
        "train.zero.stage=0",
        f"train.dtype={'bfloat16' if bf16 else 'float32'}",
        f"train.gradient_checkpointing={str(recompute).lower()}",
    ]
    spec = parse("model: llava-7b\nmethod: dpo\n", settings, folder=Path("/"))
    text = shape.prompt - shape.image_tokens
    return case_of(spec, model_shape(llava.config.to_dict()), text, shape.answer, long=1)


def measured_bytes(model: Any, shape: Shape, count: int, live: LiveBytes | None, device: str) -> int:
    """Return the most bytes of tensors that lived during forward and backward, weights included."""
    rows = shared_rows(preferences(shape, count), 0).to(torch.device(device))
    gc.collect()
    if live is None:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    else:
        live.mark()
    model(rows).sum().backward()
    return live.peak if live is not None else int(torch.cuda.max_memory_allocated(device))


if __name__ == "__main__":
    main()
