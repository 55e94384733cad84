"""Where things lie below a store's root, and how artifacts get their names.

artifacts/<stage>/<digest>/...   what a stage made, named by what made it
artifacts/<stage>/<digest>/commit.json
artifacts/<stage>/<digest>/shards/00003/  one shard of a stage that works in shards, an artifact of its own
artifacts/<stage>/<digest>/checkpoints/  where the making has got to; removed once the artifact is committed
pins/<digest>.yaml               what a run file was frozen to, by its own digest, for the pods of a run
artifacts/<answers>/<digest>/replies/     a judge's replies about these answers, kept while it judges
runs/<run>/run.yaml              the frozen run file
runs/<run>/stages/<stage>.json   when the stage ran, how long, or that it was reused
runs/<run>/summary.json          what came out
runs/<run>/tensorboard/<train>/  curves of each training that ran under this name
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def artifact_digest(stage: str, version: int, reads: Any, inputs: dict[str, str]) -> str:  # noqa: ANN401 - JSON
    """Return the name of what `stage` makes: sha256 over version, the spec it reads and its inputs' names."""
    text = json.dumps(
        {"stage": stage, "version": version, "spec": reads, "inputs": inputs}, sort_keys=True, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def artifact_prefix(stage: str, digest: str) -> str:
    """Return the prefix of an artifact; half of the sha256 keeps paths readable."""
    return f"artifacts/{stage}/{digest[:32]}"


def checkpoints_prefix(artifact: str) -> str:
    """Return the prefix of the checkpoints of an artifact's making."""
    return f"{artifact}/checkpoints"


def pin_key(digest: str) -> str:
    """Return the key of what the run file of this digest was frozen to."""
    return f"pins/{digest[:32]}.yaml"


def shard_name(shard: int | None = None) -> str:
    """Return the folder of a shard below its artifact, without a number that of all shards."""
    return "shards" if shard is None else f"shards/{shard:05d}"


def shard_prefix(artifact: str, shard: int) -> str:
    """Return the prefix of one shard of an artifact."""
    return f"{artifact}/{shard_name(shard)}"


CURVES = "tensorboard"


def run_prefix(run: str) -> str:
    """Return the prefix of a run's own records."""
    return f"runs/{run}"
