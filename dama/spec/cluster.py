"""What the cluster gives to the training stage."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dama.spec.base import Part, PositiveInt


class ClusterSpec(Part):
    """Nodes and GPUs; processes of `train.ranks` are spread evenly over the nodes."""

    nodes: PositiveInt = 1
    """Machines that train together."""
    gpus: Annotated[int, Field(ge=0)] | None = None
    """GPUs of one node; as many as its ranks if left out, 0 when `train.device` is cpu."""
    preprocess_pods: PositiveInt = 1
    """Pods that share facts and scores out between them, each with its JOB_COMPLETION_INDEX."""
