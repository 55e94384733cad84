"""`dama release`: what the release Job of a run does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from dama.cli.arguments import RunFile, all_stages

if TYPE_CHECKING:
    from dama.cluster.client import Cluster
    from dama.spec.run import RunSpec

_KINDS = {"pytorchjob": "PyTorchJob", "trainjob": "TrainJob", "job": "Job"}


def release(
    runfile: RunFile,
    preprocess: Annotated[str, typer.Option(help="The Job that preprocesses.")],
    train: Annotated[str, typer.Option(help="The PyTorchJob, TrainJob or Job that trains.")],
    evaluate: Annotated[str, typer.Option(help="The Job that evaluates.")],
) -> None:
    """Wait until RUNFILE's preprocessing is done and committed, let its training run, then its evaluation.

    It watches until the run has ended, and releases again what applying the manifests once more has held
    back. When a step fails it ends with 1 and the reason, and what comes behind stays suspended.
    """
    from dama.cluster.client import Cluster
    from dama.cluster.release import Release, Steps
    from dama.spec.load import load
    from dama.stages.pin import patiently

    spec, cluster = load(runfile), Cluster.reached()
    _bring_keys(spec, cluster)
    steps = Steps(preprocess, train, evaluate, _KINDS[spec.cluster.backend], spec.cluster.queue)

    def lacking() -> str:
        return patiently(lambda: _lacking(spec), typer.echo)

    lacking()  # a store that refuses is told before anything runs for hours
    Release(cluster, steps, lacking, typer.echo).run()
    typer.echo("the run has ended well")


def _bring_keys(spec: RunSpec, cluster: Cluster) -> None:
    """Make the keys of the run's own store, if nobody has, and use them here."""
    from dama.cluster.release import store_keys
    from dama.manifests.names import Names
    from dama.manifests.placed import ACCESS_KEY, SECRET_KEY, brings_store

    if brings_store(spec):
        names = Names(spec)
        keys: Mapping[str, str] = store_keys(
            cluster, names.store, names.labels("store"), (ACCESS_KEY, SECRET_KEY)
        )
        os.environ.update(keys)


def _lacking(spec: RunSpec) -> str:
    """Return the stages of preprocessing without a commit, and "" when all are there."""
    from dama.stages.base import plan
    from dama.stages.pin import find_pinned
    from dama.stages.pipeline import find, leading_to
    from dama.storage.commit import read_commit
    from dama.storage.uri import open_store

    store, stages = open_store(spec.storage), all_stages()
    exact = find_pinned(spec, store)
    if exact is None:
        return "the frozen run file"
    whole = plan(exact, stages)
    goal = find(whole, "data" if exact.hardness is None else "alpha", stages)
    missing = [
        name
        for name, planned in leading_to(goal, whole).items()
        if read_commit(store, planned.prefix) is None
    ]
    return ", ".join(missing)
