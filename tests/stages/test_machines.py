"""Machines as operators tell of them, and ranks that meet across two of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dama.errors import SpecError
from dama.spec.load import parse
from dama.stages.machines import Machines, check_spread, machines

OPERATOR = {
    "PET_NNODES": "2",
    "PET_NODE_RANK": "1",
    "PET_MASTER_ADDR": "run-master-0",
    "PET_MASTER_PORT": "23456",
}


def test_nobody_says_anything_and_there_is_one() -> None:
    assert machines({}) == Machines()
    assert machines({"PET_NNODES": "1", "RANK": "0", "MASTER_ADDR": "x"}) == Machines()
    assert Machines().meeting("x") == ["--standalone"]


def test_what_the_operator_says_is_read() -> None:
    found = machines(OPERATOR)
    assert found == Machines(2, 1, "run-master-0", 23456)
    assert found.each(8) == 4
    said = found.meeting("dama-train")
    assert said[said.index("--rdzv-endpoint") + 1] == "run-master-0:23456"
    assert said[said.index("--rdzv-id") + 1] == "dama-train"
    assert "is_host=false" in said[said.index("--rdzv-conf") + 1]


@pytest.mark.parametrize("missing", ["PET_NODE_RANK", "PET_MASTER_ADDR"])
def test_half_of_it_is_refused(missing: str) -> None:
    with pytest.raises(SpecError, match="PET_NNODES"):
        machines({key: value for key, value in OPERATOR.items() if key != missing})


def test_as_many_as_the_run_file_says_or_one() -> None:
    spec = parse("model: llava-7b\ncluster: {nodes: 2}", folder=None)
    assert check_spread(spec, machines(OPERATOR)).count == 2
    assert check_spread(spec, Machines()).count == 1
    with pytest.raises(SpecError, match="wanted 2, which is"):
        check_spread(spec, Machines(4, 0, "x", 1))


_RANK = """
import os, sys
import torch
import torch.distributed as dist
dist.init_process_group("gloo")
numbers = torch.tensor([float(os.environ["RANK"])])
dist.all_reduce(numbers)
with open(os.path.join(sys.argv[1], os.environ["RANK"]), "w") as file:
    file.write(f"{numbers.item():.0f} {os.environ['WORLD_SIZE']} {os.environ['LOCAL_WORLD_SIZE']}")
dist.destroy_process_group()
"""


def test_ranks_of_two_machines_are_one_world(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    program = tmp_path / "rank.py"
    program.write_text(_RANK)
    out = tmp_path / "out"
    out.mkdir()
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "dama.stages.torchrun", "2", str(program), str(out)],
            env={
                **os.environ,
                **OPERATOR,
                "PET_NODE_RANK": number,
                "PET_MASTER_ADDR": "127.0.0.1",
                "PET_MASTER_PORT": port,
                "OMP_NUM_THREADS": "1",
            },
        )
        for number in ("1", "0")
    ]
    assert [one.wait(120) for one in both] == [0, 0]
    assert {path.name: path.read_text() for path in out.iterdir()} == dict.fromkeys("0123", "6 4 2")
