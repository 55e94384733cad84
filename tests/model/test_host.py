"""The host's memory: what is free, and what control groups of either version leave of it."""

from __future__ import annotations

from pathlib import Path

from dama.model.host import host_memory

FREE = 8_000_000 * 1024


def _machine(root: Path, cgroup: str | None) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text("MemTotal: 16000000 kB\nMemAvailable:  8000000 kB\n")
    if cgroup is not None:
        (root / "proc/self/cgroup").write_text(cgroup)
    return root


def _limit(folder: Path, limit: object, used: int, *, old: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if old else ("memory.max", "memory.current")
    for name, value in zip(names, (limit, used), strict=True):
        (folder / name).write_text(f"{value}\n")


def test_without_control_groups_it_is_what_the_kernel_says(tmp_path: Path) -> None:
    assert host_memory(_machine(tmp_path, None)) == FREE


def test_a_pods_limit_stands_at_the_mount(tmp_path: Path) -> None:
    root = _machine(tmp_path, "0::/kubepods/pod1/container\n")
    _limit(root / "sys/fs/cgroup", 4 * 2**30, 2**30)
    assert host_memory(root) == 3 * 2**30


def test_the_lowest_limit_on_the_way_up_counts(tmp_path: Path) -> None:
    root = _machine(tmp_path, "0::/user/session\n")
    _limit(root / "sys/fs/cgroup/user/session", "max", 0)
    _limit(root / "sys/fs/cgroup/user", 2 * 2**30, 2**29)
    assert host_memory(root) == 3 * 2**29


def test_control_groups_of_version_1(tmp_path: Path) -> None:
    root = _machine(tmp_path, "5:cpu,cpuacct:/x\n4:memory:/docker/1\n")
    _limit(root / "sys/fs/cgroup/memory/docker/1", 2**30, 2**28, old=True)
    assert host_memory(root) == 3 * 2**28


def test_no_limit_is_no_limit(tmp_path: Path) -> None:
    root = _machine(tmp_path, "4:memory:/\n")
    _limit(root / "sys/fs/cgroup/memory", 2**63 - 4096, 0, old=True)
    assert host_memory(root) == FREE


def test_this_machine_has_some() -> None:
    assert 2**20 < host_memory() < 2**50
