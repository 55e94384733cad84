"""The run file as a whole."""

from __future__ import annotations

from pydantic import model_validator

from dama.spec.base import Name, Part
from dama.spec.cluster import ClusterSpec
from dama.spec.data import DataSpec
from dama.spec.evaluate import EvaluateSpec
from dama.spec.hardness import HardnessSpec
from dama.spec.image import ImagesSpec
from dama.spec.method import Dama, MethodSpec
from dama.spec.model import ModelSpec
from dama.spec.rules import BrokenRules, broken_rules
from dama.spec.storage import StorageSpec
from dama.spec.train import TrainSpec
from dama.spec.world import WorldSpec


class RunSpec(Part):
    """One run: align `model` on `data` by `method`, keep everything under `storage`."""

    name: Name = "dama-run"
    """The run's name: its folder in the store and the name of its objects on a cluster."""
    model: ModelSpec
    """The model to align; `llava-7b`, `llava-13b`, `tiny`, or written out."""
    data: DataSpec
    """The preferences to learn from."""
    hardness: HardnessSpec | None = HardnessSpec()
    """Data hardness; null or `none` to leave it out (`dpo` and `mdpo` only)."""
    method: MethodSpec = Dama()
    """What is optimised; `dpo`, `d2po`, `mdpo`, `dama`, or written out."""
    train: TrainSpec = TrainSpec()
    """How it is trained."""
    evaluate: EvaluateSpec = EvaluateSpec()
    """What is measured before and after."""
    storage: StorageSpec = StorageSpec()
    """Where artifacts live."""
    cluster: ClusterSpec = ClusterSpec()
    """What the cluster gives."""
    world: WorldSpec | None = None
    """The miniature world, where model, data, scorer or benchmark ask for it."""
    images: ImagesSpec = ImagesSpec()
    """The images of its pods on a cluster."""

    @model_validator(mode="after")
    def _rules(self) -> RunSpec:
        broken = broken_rules(self)
        if broken:
            raise BrokenRules(broken)
        return self
