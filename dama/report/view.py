"""Everything a page needs of one run, read once: no store, no folder, no clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dama.records import BenchmarkResult, Measure
from dama.report.panels import Floats

EASIEST, MIDDLE, HARDEST = 0, 1, 2
GROUPS = ("easiest 25 %", "middle 50 %", "hardest 25 %")
"""Preferences by δ: easy = largest δ."""


@dataclass(frozen=True)
class Fact:
    """A fact, its score (CLIP logit) and its probability; NaN where there is none."""

    text: str
    score: float
    probability: float


@dataclass(frozen=True)
class Example:
    """A preference as the contact sheet shows it."""

    id: str
    delta: float
    alpha_data: float
    prompt: str
    chosen: tuple[Fact, ...]
    rejected: tuple[Fact, ...]
    picture: bytes
    """A small JPEG; empty where the image cannot be shown."""
    flags: tuple[str, ...] = ()

    def share(self, side: str) -> float:
        """Return ΣP of the `chosen` or the `rejected` answer, in [0, 1]; NaN where a probability lacks."""
        facts = self.chosen if side == "chosen" else self.rejected
        return math.fsum(fact.probability for fact in facts)

    def flags_of(self, side: str) -> tuple[str, ...]:
        """Return the flags of one answer without its name; with side "" those of the whole preference."""
        parts = [flag.rpartition(":") for flag in self.flags]
        return tuple(name for owner, _, name in parts if owner == side)


@dataclass(frozen=True)
class HardnessView:
    """δ and α_D of every preference (P,), and what they say."""

    ids: tuple[str, ...]
    delta: Floats
    alpha_data: Floats
    more_facts: Floats
    """Facts of the chosen answer less those of the rejected one."""
    flags: Mapping[str, int]
    score_range: tuple[float, float]
    """5th and 95th percentile of all scores: the ends of the contact sheet's colours."""
    hardest: tuple[Example, ...]
    easiest: tuple[Example, ...]
    aggregate: str = "sum"
    form: str = "probabilities"
    facts: int = 0
    """Facts of all answers."""
    fell_back: tuple[str, ...] = ()
    """Preferences with an answer that the splitter's fall-back split."""
    splitter: Mapping[str, Any] = field(default_factory=dict)
    """What stage facts says of its engine, without places of the machine it ran on."""
    scorer: Mapping[str, Any] = field(default_factory=dict)
    """What stage scores says of its engine."""

    @property
    def even(self) -> float:
        """Return the δ at which the image favours neither answer: scores make δ a ratio, not a difference."""
        return 1.0 if self.form == "scores" else 0.0

    @property
    def share_positive(self) -> float:
        """Return the share of preferences whose δ says that the chosen answer fits better."""
        known = self.delta[np.isfinite(self.delta)]
        return float(np.mean(known > self.even)) if len(known) else float("nan")

    @property
    def mean_delta(self) -> float:
        """Return δ̄."""
        known = self.delta[np.isfinite(self.delta)]
        return float(np.mean(known)) if len(known) else float("nan")

    @property
    def length_correlation(self) -> float:
        """Return Pearson's r of δ with the difference in number of facts; NaN where either is constant."""
        known = np.isfinite(self.delta) & np.isfinite(self.more_facts)
        delta, more = self.delta[known], self.more_facts[known]
        if len(delta) < 3 or np.ptp(delta) < 1e-12 or np.ptp(more) < 1e-12:
            return float("nan")
        return float(np.corrcoef(delta, more)[0, 1])


@dataclass(frozen=True)
class Gaps:
    """The gap g (nats) of every preference at every step it was seen, with its group by δ."""

    step: Floats
    gap: Floats
    group: Floats
    """0 easiest, 1 middle, 2 hardest, −1 where δ is not known."""
    beta: Floats
    """β_C it was learned with."""
    kept: Floats
    """1 where the filter kept it."""


@dataclass(frozen=True)
class StageTime:
    """How long a stage's artifact took to make, and by whom."""

    stage: str
    title: str
    seconds: float
    """NaN where nothing was recorded."""
    reused: bool
    maker: str
    """The run that made it."""
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DataCounts:
    """What became of the dataset's rows."""

    rows: int
    preferences: int
    quarantined: int
    images: int
    reasons: Mapping[str, int]
    over_long: int = 0
    """Preferences that train.max_length has no room for, left out of training."""


@dataclass(frozen=True)
class Change:
    """One measure before and after."""

    benchmark: str
    measure: str
    unit: str
    better: str
    before: float | None
    after: float | None
    n: int

    @property
    def difference(self) -> float | None:
        """Return after − before, None where one is missing."""
        return None if self.before is None or self.after is None else round(self.after - self.before, 10)

    @property
    def improved(self) -> bool | None:
        """Say whether the difference goes the better way; None where there is none to speak of."""
        if not self.difference or self.better not in ("higher", "lower"):
            return None
        return (self.difference > 0) == (self.better == "higher")


@dataclass(frozen=True)
class RunView:
    """One run."""

    run: str
    method: str
    method_note: str
    model: str
    data: str
    beta: float
    batch: int
    keep: int | None
    curves: Mapping[str, Floats]
    """Columns of the training metrics (T,), NaN where a step or a method has none; always holds `step`."""
    gaps: Gaps | None
    hardness: HardnessView | None
    counts: DataCounts
    before: tuple[BenchmarkResult, ...]
    after: tuple[BenchmarkResult, ...]
    stages: tuple[StageTime, ...]
    artifacts: Mapping[str, str]
    """Stage -> digest of its commit."""
    versions: Mapping[str, str]
    run_file: str
    uses_alpha_data: bool
    uses_alpha_model: bool

    @property
    def steps(self) -> int:
        """Return the number of optimizer steps."""
        return len(self.curves["step"])

    def curve(self, name: str) -> Floats:
        """Return a column of the metrics, all NaN where the run has none."""
        return self.curves.get(name, np.full(self.steps, np.nan))

    def has(self, name: str) -> bool:
        """Say whether a column of the metrics holds any number."""
        return bool(np.isfinite(self.curve(name)).any())

    def changes(self, *, official: bool = False) -> tuple[Change, ...]:
        """Return every measure of every benchmark, before and after side by side.

        With `official` the figures are those of the benchmarks' own scripts, where these differ in kind.
        """
        after = {(r.benchmark, m.name): m for r in self.after for m in _measures(r, official)}
        before = {(r.benchmark, m.name): m for r in self.before for m in _measures(r, official)}
        return tuple(
            _change(key, before.get(key), after.get(key)) for key in dict.fromkeys([*before, *after])
        )

    def verdict(self) -> str:
        """Return what came out, in one sentence without its full stop."""
        for change in self.changes():
            if change.before is not None and change.after is not None:
                return (
                    f"{said(change.measure)} {number(change.before)} → {number(change.after)} "
                    f"({signed(change.difference)})"
                )
        if self.steps == 0:
            return "no optimizer step was recorded and nothing was measured"
        return (
            f"trained for {self.steps} step{'s' * (self.steps != 1)}; nothing was measured before and after"
        )


def _measures(result: BenchmarkResult, official: bool) -> tuple[Measure, ...]:
    return result.official if official else result.measures


def _change(key: tuple[str, str], before: Measure | None, after: Measure | None) -> Change:
    one = after or before
    if one is None:
        raise ValueError("a change needs a measure")
    return Change(
        key[0],
        key[1],
        one.unit,
        one.better,
        None if before is None or not np.isfinite(before.value) else before.value,
        None if after is None or not np.isfinite(after.value) else after.value,
        one.n,
    )


def said(name: str) -> str:
    """Return a measure's name as a person says it."""
    words = name.replace("_", " ").strip()
    return {"response": "response-level non-hallucination", "mention": "mention-level non-hallucination"}.get(
        words, words
    )


def number(value: float | None, digits: int = 1) -> str:
    """Return a number for people, a dash for none."""
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value:.{digits}f}".replace("-", "−")


def signed(value: float | None, digits: int = 1) -> str:
    """Return a difference with its sign."""
    if value is None or not np.isfinite(value):
        return "–"
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text[1:] if float(f"{value:.{digits}f}") == 0 else text
