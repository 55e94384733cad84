"""One frozen record for every arrow of the pipeline.

    dataset ─▶ Preference ─▶ Facts ─▶ PairScore ─▶ Hardness ─┐
                   └──────▶ ReferenceLogps ──────────────────┴─▶ StepRecord ─▶ checkpoint
    benchmark ─▶ Question ─▶ Answer ─▶ Measures ─▶ Summary

Records are plain data without torch or numpy, so that every part of the house can speak of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Preference:
    """An image, a prompt, the chosen and the rejected answer."""

    id: str
    image: str
    """sha256 (hex) of the encoded image's bytes; an image table turns it into bytes."""
    prompt: str
    chosen: str
    rejected: str
    source: str = ""
    """Where the row came from, for people: `origin_dataset`, a file name."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that cannot be used, and why."""

    row: int
    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of both answers of one preference, in the order they are stated."""

    id: str
    chosen: tuple[str, ...]
    rejected: tuple[str, ...]
    flags: tuple[str, ...] = ()
    """What a person should know: `chosen:fallback`, `rejected:no-facts`."""


@dataclass(frozen=True, slots=True)
class PairScore:
    """Scaled CLIP logits of every fact against the preference's image (paper, Eq 3)."""

    id: str
    chosen: tuple[float, ...]
    rejected: tuple[float, ...]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hardness:
    """Hardness δ of one preference and the data-aware factor α_D made from it (Eqs 4-7)."""

    id: str
    delta: float
    alpha_data: float
    chosen_probabilities: tuple[float, ...]
    rejected_probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ReferenceLogps:
    """Summed log-probabilities of both answers under the model that training starts from, in nats."""

    id: str
    chosen: float
    rejected: float


@dataclass(frozen=True, slots=True)
class Question:
    """What a benchmark asks: an image (path relative to the benchmark's folder) and a prompt."""

    id: str
    image: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said to a question."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a benchmark, in its own unit, over n answers."""

    name: str
    value: float
    unit: str = "%"
    better: str = "higher"
    n: int = 0
    low: float | None = None
    """Lower end of the 95 % interval, None where none was computed."""
    high: float | None = None
    """Upper end of the 95 % interval."""


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """What one benchmark says of one model."""

    benchmark: str
    version: str
    measures: tuple[Measure, ...]
    answers_digest: str
    data_digest: str
    details: Mapping[str, object] = field(default_factory=dict)
    mode: str = ""
    """How `measures` were counted: "robust", "official", or empty where there is one way only."""
    official: tuple[Measure, ...] = ()
    """The same figures as the benchmark's own script computes them, quirks included."""
    n: int = 0
    """Questions asked of the model that count."""
    missing: int = 0
    """Questions of the benchmark without an answer, left out of every figure."""
    unreadable: int = 0
    """Answers or judge's replies that could not be read."""
    judge: str = ""
    """Model that judged, as it names itself; empty without a judge."""

    def measure(self, name: str) -> Measure:
        """Return the figure called `name`; KeyError when the benchmark has none."""
        for measure in self.measures:
            if measure.name == name:
                return measure
        raise KeyError(name)
