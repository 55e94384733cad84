"""What a run's objects are called, and the labels they are found by.

Names end with six digits of a hash over the run file: another β is another run beside the first, equal run
files meet the same objects. Only the store and the accounts, which outlive a change, go without.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from dama.manifests.canonical import canonical
from dama.spec.run import RunSpec

Step = Literal["preprocess", "train", "evaluate", "release"]
STEPS: tuple[Step, ...] = ("preprocess", "train", "evaluate", "release")
Object = dict[str, Any]

APP, RUN, STEP, HASH = (
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/component",
    "dama/hash",
)


def run_text(spec: RunSpec) -> str:
    """Return the run file that pods read: every key, sorted, as JSON, which is YAML too."""
    return canonical(spec.model_dump(mode="json")) + "\n"


class Names:
    """Names of the objects of one run, as `dama.manifests.placed.placed` returned it."""

    def __init__(self, spec: RunSpec) -> None:
        self.run = spec.name
        self.hash = hashlib.sha256(run_text(spec).encode()).hexdigest()[:6]
        self.backend = spec.cluster.backend
        self.account = spec.cluster.service_account or spec.name
        self.releaser = f"{spec.name}-release"
        self.store = f"{spec.name}-store"
        self.runfile = f"{spec.name}-run-{self.hash}"

    def step(self, step: Step) -> str:
        """Return the name of a step's Job, PyTorchJob or TrainJob."""
        if self.backend == "trainjob" and step == "train":
            return f"{self.run}-{self.hash}"
        return f"{self.run}-{step}-{self.hash}"

    def labels(self, step: str | None = None) -> dict[str, str]:
        """Return the labels of an object of the run."""
        labels = {APP: "dama", RUN: self.run}
        if step is not None:
            labels[STEP] = step
        if step in STEPS or step == "run":
            labels[HASH] = self.hash
        return labels
