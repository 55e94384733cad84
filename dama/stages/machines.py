"""The machines that a stage's ranks are spread over, as an operator says it in a pod's environment.

The training operator and Kubeflow Trainer both say it in torchrun's own variables (PET_*). A process that
nobody told anything is alone, whatever the run file's `cluster.nodes`: it runs all ranks itself.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from dama.errors import Problem, SpecError
from dama.spec.run import RunSpec


@dataclass(frozen=True)
class Machines:
    """How many there are, which one this is, and where the first one is met."""

    count: int = 1
    number: int = 0
    address: str = ""
    port: int = 29500

    def each(self, ranks: int) -> int:
        """Return the ranks of each machine."""
        return ranks // self.count

    def meeting(self, name: str) -> list[str]:
        """Return torchrun's arguments to meet the others for work called `name`, through c10d."""
        if self.count == 1:
            return ["--standalone"]
        host = "true" if self.number == 0 else "false"
        here = socket.gethostbyname(socket.gethostname())
        return [
            *("--nnodes", str(self.count), "--rdzv-id", name, "--rdzv-backend", "c10d"),
            *("--rdzv-endpoint", f"{self.address}:{self.port}"),
            *("--rdzv-conf", f"is_host={host},join_timeout=1800,read_timeout=600"),
            *("--local-addr", here),  # a pod's name is known to no other pod
        ]


def machines(environ: Mapping[str, str] = os.environ) -> Machines:
    """Return the machines that the environment tells of; one where it tells nothing."""
    count = environ.get("PET_NNODES", "1")
    if not count.isdecimal() or int(count) <= 1:
        return Machines()
    number = environ.get("PET_NODE_RANK", environ.get("RANK", ""))
    address = environ.get("PET_MASTER_ADDR", environ.get("MASTER_ADDR", ""))
    port = environ.get("PET_MASTER_PORT", environ.get("MASTER_PORT", "29500"))
    if not number.isdecimal() or not address or not port.isdecimal():
        raise SpecError(
            [
                Problem(
                    "PET_NNODES",
                    f"'{count}', and not which of them this is, or where they meet",
                    wanted="PET_NODE_RANK, PET_MASTER_ADDR and PET_MASTER_PORT as well",
                    do="start the pods by an operator, or unset PET_NNODES",
                )
            ],
            "environment",
        )
    return Machines(int(count), int(number), address, int(port))


def check_spread(spec: RunSpec, found: Machines) -> Machines:
    """Return the machines if they are as many as the run file says, or one; SpecError otherwise."""
    if found.count not in (1, spec.cluster.nodes):
        wanted = f"{spec.cluster.nodes}, which is cluster.nodes"
        do = "start as many pods as cluster.nodes says"
        raise SpecError([Problem("PET_NNODES", f"'{found.count}'", wanted=wanted, do=do)], "environment")
    return found
