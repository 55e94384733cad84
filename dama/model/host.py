"""The memory of this machine that a process may use: what is free, and what a container's limit leaves."""

from __future__ import annotations

import os
from pathlib import Path

_ROOT = Path("/")


def host_memory(root: Path = _ROOT) -> int:
    """Return the bytes that can still be had: MemAvailable, or less where a control group says so.

    `root` is where `proc` and `sys` lie.
    """
    return min(_available(root / "proc/meminfo"), *_limits(root), 2**62)


def _available(meminfo: Path) -> int:
    for line in meminfo.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _limits(root: Path) -> list[int]:
    """Return what each limit on our way up leaves, in control groups of version 2 and version 1."""
    left = [2**62]
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return left
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        base = root / "sys/fs/cgroup" / controllers
        names = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes")
            if controllers
            else ("memory.max", "memory.current")
        )
        folder = base / path.lstrip("/")
        # in a container the path may be the host's; the limit then stands at the mount itself
        for place in (folder, *(up for up in folder.parents if up.is_relative_to(base))):
            left.append(_left(place, *names))
    return left


def _left(folder: Path, limit: str, used: str) -> int:
    try:
        most, now = (folder / limit).read_text().strip(), (folder / used).read_text().strip()
    except OSError:
        return 2**62
    return 2**62 if most == "max" else max(0, int(most) - int(now))
