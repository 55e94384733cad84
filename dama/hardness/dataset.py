"""Hardness of a whole dataset: δ of every preference, then δ̄ over all, then α_D."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dama.errors import HardnessError
from dama.hardness.alpha import Aggregate, Form, alpha_data, delta, mean_delta, probabilities
from dama.hardness.cache import write_hardness
from dama.hardness.summary import summarise
from dama.records import Facts, PairScore

SUMMARY = "summary.json"


def write_dataset_hardness(
    scored: Iterable[tuple[Facts, PairScore]],
    out: Path,
    form: Form,
    aggregate: Aggregate,
    *,
    made_by: Mapping[str, Any] | None = None,
    advance: Callable[[int], None] = lambda count: None,
) -> dict[str, Any]:
    """Fill `out` with `hardness.parquet` and `summary.json`, in the order of `scored`; return the summary.

    `scored` is gone through twice, once for δ̄ and once to write, so that only numbers are held, not texts.
    `made_by` goes into the summary as it is: who split and who scored (`dama.hardness.summary.made_by`).
    `advance` is told of preferences written.
    """
    deltas, differences, flags = array("d"), array("d"), Counter[str]()
    for fact, score in scored:
        deltas.append(delta(score.id, score.chosen, score.rejected, form, aggregate))
        differences.append(len(fact.chosen) - len(fact.rejected))
        flags.update({*fact.flags, *score.flags})
    mean = mean_delta(deltas)
    alphas = array("d", (alpha_data(one, mean) for one in deltas))

    def rows() -> Iterator[dict[str, Any]]:
        for index, (fact, score) in enumerate(scored):
            chosen, rejected = probabilities(score.chosen, score.rejected)
            yield {
                "id": fact.id,
                "chosen_facts": fact.chosen,
                "rejected_facts": fact.rejected,
                "chosen_scores": score.chosen,
                "rejected_scores": score.rejected,
                "chosen_probabilities": chosen,
                "rejected_probabilities": rejected,
                "delta": deltas[index],
                "alpha_data": alphas[index],
                "flags": sorted({*fact.flags, *score.flags}),
            }
            advance(1)

    if (written := write_hardness(out, rows())) != len(deltas):
        raise HardnessError(f"{len(deltas)} preferences were read at first, {written} the second time")
    counted = summarise(deltas, alphas, differences, flags)
    summary = {"form": form, "aggregate": aggregate, **counted, **(made_by or {})}
    text = json.dumps(summary, sort_keys=True, indent=1, allow_nan=False) + "\n"
    (out / SUMMARY).write_text(text, encoding="utf-8")
    return summary
