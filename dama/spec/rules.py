"""Rules across the parts of a run file; each says which paths it looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dama.errors import Problem
from dama.spec.broken import Broken
from dama.spec.cluster_rules import cluster_rules
from dama.spec.hardness import VllmFacts
from dama.spec.method import Dama, Mdpo, uses_alpha_data

if TYPE_CHECKING:
    from dama.spec.run import RunSpec


class BrokenRules(ValueError):
    """Raised inside validation; `dama.spec.load` unfolds it into single problems."""

    def __init__(self, broken: list[Broken]) -> None:
        self.broken = broken
        super().__init__("; ".join(str(rule.problem) for rule in broken))


def broken_rules(spec: RunSpec) -> list[Broken]:
    """Return every rule across parts that `spec` breaks."""
    return [*_layout(spec), *_method(spec), *_world(spec), *_benchmarks(spec), *cluster_rules(spec)]


def _layout(spec: RunSpec) -> list[Broken]:
    train, cluster, broken = spec.train, spec.cluster, []
    product = train.ranks * train.per_device_batch * train.accumulation
    if product != train.batch:
        broken.append(
            Broken(
                Problem(
                    "train.batch",
                    f"{train.batch} is not ranks {train.ranks} × per_device_batch "
                    f"{train.per_device_batch} × accumulation {train.accumulation} = {product}",
                    do=f"set train.batch={product} or change one of the factors",
                ),
                ("train.batch", "train.ranks", "train.per_device_batch", "train.accumulation"),
            )
        )
    if train.ranks % cluster.nodes:
        broken.append(
            Broken(
                Problem(
                    "cluster.nodes",
                    f"{train.ranks} ranks cannot be spread evenly over {cluster.nodes} nodes",
                    do="make train.ranks a multiple of cluster.nodes",
                ),
                ("cluster.nodes", "train.ranks"),
            )
        )
    elif cluster.gpus is not None:
        wanted = train.ranks // cluster.nodes if train.device == "cuda" else 0
        if cluster.gpus != wanted:
            broken.append(
                Broken(
                    Problem(
                        "cluster.gpus",
                        f"{cluster.gpus} GPUs a node",
                        wanted=f"{wanted}: {train.ranks} ranks on {cluster.nodes} node(s) with train.device "
                        f"'{train.device}'",
                        do=f"set cluster.gpus={wanted}, leave it out, or change train.ranks",
                    ),
                    ("cluster.gpus", "cluster.nodes", "train.ranks", "train.device"),
                )
            )
    if train.device == "cpu" and train.dtype != "float32":
        broken.append(
            Broken(
                Problem(
                    "train.dtype",
                    f"'{train.dtype}' on the CPU, where DeepSpeed has no such optimizer",
                    wanted="float32",
                    do="set train.dtype=float32",
                ),
                ("train.dtype", "train.device"),
            )
        )
    if train.device == "cpu" and train.zero.offload:
        broken.append(
            Broken(
                Problem(
                    "train.zero.offload",
                    "offload to the host while training on the host",
                    do="set train.zero.offload=false",
                ),
                ("train.zero.offload", "train.device"),
            )
        )
    return broken


def _method(spec: RunSpec) -> list[Broken]:
    method, broken = spec.method, []
    if isinstance(method, Mdpo | Dama) and method.keep > spec.train.batch:
        broken.append(
            Broken(
                Problem(
                    "method.keep",
                    f"{method.keep} kept of a batch of {spec.train.batch}",
                    wanted=f"at most {spec.train.batch} (train.batch)",
                    do="lower method.keep or raise train.batch",
                ),
                ("method.keep", "train.batch"),
            )
        )
    if isinstance(method, Mdpo | Dama) and spec.train.passes == "one" and spec.train.accumulation > 1:
        broken.append(
            Broken(
                Problem(
                    "train.passes",
                    f"one, and method '{method.name}' needs the gaps of all {spec.train.accumulation} "
                    "micro-batches before any of them goes backward",
                    do="set train.passes=auto, or train.accumulation=1",
                ),
                ("train.passes", "train.accumulation", "method.name"),
            )
        )
    if uses_alpha_data(method) and spec.hardness is None:
        broken.append(
            Broken(
                Problem(
                    "hardness",
                    f"nothing, and method '{method.name}' reads alpha_data",
                    do="write a hardness part, or choose dpo or mdpo",
                ),
                ("hardness", "method.name"),
            )
        )
    return broken


def _world(spec: RunSpec) -> list[Broken]:
    scorer = spec.hardness.scorer.engine if spec.hardness else ""
    facts = spec.hardness.facts if spec.hardness else None
    users = [
        path
        for path, used in (
            ("model.kind", spec.model.kind == "miniature"),
            ("data.kind", spec.data.kind == "miniature"),
            ("hardness.facts.model", isinstance(facts, VllmFacts) and facts.model.kind == "miniature"),
            ("hardness.scorer.engine", scorer == "miniature"),
            ("evaluate.benchmarks", any(b.kind == "miniature" for b in spec.evaluate.benchmarks)),
        )
        if used
    ]
    if spec.world is not None:
        asked = max((b.scenes for b in spec.evaluate.benchmarks if b.kind == "miniature"), default=0)
        if asked > spec.world.held_out:
            problem = Problem(
                "evaluate.benchmarks",
                f"{asked} scenes asked for, and the world holds out {spec.world.held_out}",
                do="raise world.held_out, or write evaluate.benchmarks: "
                f"[{{kind: miniature, scenes: {spec.world.held_out}}}]",
            )
            return [Broken(problem, ("evaluate.benchmarks", "world.held_out"))]
        return []
    return [
        Broken(
            Problem(path, "the miniature world, and the run file has no part 'world'", do="add `world: {}`"),
            (path, "world"),
        )
        for path in users
    ]


def _benchmarks(spec: RunSpec) -> list[Broken]:
    kinds = [benchmark.kind for benchmark in spec.evaluate.benchmarks]
    twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
    if not twice:
        return []
    problem = Problem(
        "evaluate.benchmarks",
        f"{', '.join(twice)} more than once",
        wanted="each benchmark once, for its answers and figures are called by its name",
        do="remove one, or write a second run file",
    )
    return [Broken(problem, ("evaluate.benchmarks",))]
