"""The hardness of a dataset for the terminal: its numbers, its hardest and its easiest preferences."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dama.hardness.summary import DOMINATES
from dama.report.concerns import length_dominates
from dama.report.describe import described_engine
from dama.report.figures import PAPER_BETA
from dama.report.flags import meaning
from dama.report.tables import duration
from dama.report.view import Example, Fact, HardnessView, number, signed

if TYPE_CHECKING:
    from rich.table import Table

_FACTS, _LETTERS = 14, 400
"""What is shown at most: facts of an answer, letters of a fact."""
_STEERING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
"""Classes of marks that set the direction of what follows."""
_NAMES = ("mean", "std", "min", "max")


def headings(
    hardness: HardnessView, summary: Mapping[str, Any], seconds: Mapping[str, float]
) -> list[tuple[str, str]]:
    """Return what was made from what, as (word, text)."""
    chosen, rejected = (_of(summary, "facts", side) for side in ("chosen", "rejected"))
    known = chosen == chosen and rejected == rejected
    sides = f" ({chosen:,.0f} of chosen answers, {rejected:,.0f} of rejected)" if known else ""
    lines = [
        ("of", f"{len(hardness.ids):,} preferences, {hardness.facts:,} facts{sides}"),
        ("δ by", f"{hardness.aggregate} of {hardness.form}"),
        ("facts", described_engine(hardness.splitter)),
        ("scores", described_engine(hardness.scorer)),
        ("time", ", ".join(f"{stage} {duration(spent)}" for stage, spent in seconds.items())),
    ]
    return [(word, plain(text)) for word, text in lines if text]


def spread_table(summary: Mapping[str, Any]) -> Table:
    """Return mean, standard deviation and ends of δ, α_D and β_D, the paper's β_D below."""
    from rich import box
    from rich.table import Table

    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    found.add_column("")
    for name in _NAMES:
        found.add_column(name, justify="right")
    found.add_row("δ", *(number(_of(summary, "delta", name), 4) for name in _NAMES))
    found.add_row("α_D", *(number(_of(summary, "alpha_data", name), 4) for name in _NAMES))
    if "beta_data" in summary:
        beta = f"β_D at β = {_of(summary, 'beta_data', 'beta'):g}"
        found.add_row(beta, *(number(_of(summary, "beta_data", name), 4) for name in _NAMES))
    found.add_row("the paper's β_D", *(number(PAPER_BETA[name], 4) for name in _NAMES), style="dim")
    return found


def _of(summary: Mapping[str, Any], part: str, name: str) -> float:
    """Return a number of the summary, NaN where another version of dama left none."""
    value = (summary.get(part) or {}).get(name)
    return float(value) if isinstance(value, int | float) else float("nan")


def remarks(hardness: HardnessView) -> list[str]:
    """Return what a person should know of the numbers, a sentence or two each."""
    share, even = number(100 * hardness.share_positive), f"{hardness.even:g}"
    r = number(hardness.length_correlation, 2)
    lines = [f"{share} % of the preferences have δ > {even}: their chosen answer fits the image better."]
    if length_dominates(hardness):
        instead = " Try hardness.aggregate=mean." if hardness.aggregate == "sum" else ""
        lines.append(
            f"Length dominates: δ correlates {r} with the difference in number of facts, beyond ±{DOMINATES}."
            + instead
        )
    else:
        lines.append(f"δ correlates {r} with the difference in number of facts; length does not dominate.")
    for flag, count in hardness.flags.items():
        words = meaning(flag)
        lines.append(f"{plain(flag)} {count:,}" + (f": {words}." if words else "."))
    if hardness.fell_back:
        named = ", ".join(plain(id_) for id_ in hardness.fell_back[:5])
        more = len(hardness.fell_back) - 5
        lines.append(f"split by the fall-back: {named}" + (f" and {more:,} more." if more > 0 else "."))
    return lines


def ends(hardness: HardnessView) -> Iterator[tuple[str, tuple[Example, ...]]]:
    """Yield the hardest and the easiest preferences, each under its heading."""
    hard = "the image hardly favours the chosen answer, or speaks against it"
    yield f"Hardest (smallest δ, smallest β_D): {hard}", hardness.hardest
    yield "Easiest (largest δ, largest β_D): the image is all for the chosen answer", hardness.easiest


def example_heading(example: Example) -> str:
    """Return δ, α_D, the id and the flags of a preference, on one line."""
    flags = f"  [{', '.join(plain(flag) for flag in example.flags)}]" if example.flags else ""
    factors = f"δ {signed(example.delta, 3)}  α_D {number(example.alpha_data, 3)}"
    return f"{factors}  {plain(example.id)}{flags}"


def example_table(example: Example) -> Table:
    """Return the facts of both answers of a preference, each behind its score."""
    from rich.table import Table
    from rich.text import Text

    found = Table.grid(padding=(0, 1))
    found.add_column(width=10)
    found.add_column(justify="right", width=6)
    found.add_column(overflow="fold")
    for side, facts in (("chosen", example.chosen), ("rejected", example.rejected)):
        for place, fact in enumerate(facts[:_FACTS] or (Fact("no facts", float("nan"), float("nan")),)):
            label = f"  {side}" if place == 0 else ""
            found.add_row(label, number(fact.score), Text(plain(fact.text)))
        if len(facts) > _FACTS:
            found.add_row("", "", f"… and {len(facts) - _FACTS:,} more")
    return found


def plain(text: str) -> str:
    """Return untrusted text for a terminal: one line, cut where it is very long, nothing that steers it.

    Control characters could rewrite what was printed before; marks of direction could make words look as
    if they stood elsewhere. Both are left out.
    """
    kept = "".join(
        letter
        for letter in " ".join(text.split())
        if unicodedata.category(letter) not in ("Cc", "Cs", "Co", "Cn")
        and unicodedata.bidirectional(letter) not in _STEERING
    )
    return kept if len(kept) <= _LETTERS else kept[: _LETTERS - 1] + "…"
