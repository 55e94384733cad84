"""What is optimised: DPO, D2PO, MDPO or DAMA, each a part of its own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dama.spec.base import Fraction, Part, PositiveFloat, PositiveInt


class _Method(Part):
    beta: PositiveFloat = 0.1
    """β: how strongly the model is held to the one it starts from (Eq 2)."""


class _ModelAware(_Method):
    keep: PositiveInt = 12
    """K: preferences of an optimizer batch that are learned from."""
    gamma: Fraction = 0.9
    """γ: weight of the past in the running mean R̄ (Eq 14)."""
    filter: Literal["none", "bottom", "top", "both", "random"] = "both"
    """Which are dropped: the farthest from R̄ (both, Eq 10), the lowest, highest, none, or any (random)."""
    reading: Literal["paper", "release"] = "paper"
    """Equations as printed, or as the authors' released script computes them."""


class Dpo(_Method):
    """Direct preference optimisation (Eqs 1-2)."""

    name: Literal["dpo"] = "dpo"
    """The method's name."""


class D2po(_Method):
    """Data-aware: β_D = β·α_D (Eq 7)."""

    name: Literal["d2po"] = "d2po"
    """The method's name."""


class Mdpo(_ModelAware):
    """Model-aware: filter, and β_M = β·α_M (Eqs 8-14)."""

    name: Literal["mdpo"] = "mdpo"
    """The method's name."""


class Product(Part):
    """β_C = β·α_D·α_M (Eq 15)."""

    kind: Literal["product"] = "product"
    """Says that α_D and α_M are multiplied."""


class WeightedSum(Part):
    """β_C = β·((1−ρ)·α_M + ρ·α_D), an ablation."""

    kind: Literal["weighted_sum"] = "weighted_sum"
    """Says that α_D and α_M are added, weighted."""
    rho: Fraction = 0.5
    """ρ: weight of α_D."""


class Dama(_ModelAware):
    """Data- and model-aware: filter, and β_C from α_D and α_M (Eqs 15-16)."""

    name: Literal["dama"] = "dama"
    """The method's name."""
    combine: Annotated[Product | WeightedSum, Field(discriminator="kind")] = Product()
    """How α_D and α_M make β_C."""


MethodSpec = Annotated[Dpo | D2po | Mdpo | Dama, Field(discriminator="name")]


def uses_alpha_data(method: MethodSpec) -> bool:
    """Say whether the method's loss reads α_D."""
    return isinstance(method, D2po | Dama)
