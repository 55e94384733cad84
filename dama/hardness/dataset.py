"""Hardness of a whole dataset: δ of every preference, then δ̄ over all, then α_D."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dama.hardness.alpha import Aggregate, Form, alpha_data, delta, mean_delta, probabilities
from dama.hardness.cache import write_hardness
from dama.hardness.pairing import with_scores
from dama.hardness.summary import summarise

SUMMARY = "summary.json"


def write_dataset_hardness(
    facts: Path,
    scores: Path,
    out: Path,
    form: Form,
    aggregate: Aggregate,
    made_by: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Fill `out` with `hardness.parquet` and `summary.json` from both stages' folders; return the summary.

    `made_by` goes into the summary as it is: who split and who scored (`dama.hardness.summary.made_by`).

    Scores are read twice, once for δ̄ and once to write, so that only numbers are held, not texts.
    """
    deltas, differences, flags = array("d"), array("d"), Counter[str]()
    for fact, score in with_scores(facts, scores):
        deltas.append(delta(score.id, score.chosen, score.rejected, form, aggregate))
        differences.append(len(fact.chosen) - len(fact.rejected))
        flags.update({*fact.flags, *score.flags})
    mean = mean_delta(deltas)
    alphas = array("d", (alpha_data(one, mean) for one in deltas))

    def rows() -> Iterator[dict[str, Any]]:
        for index, (fact, score) in enumerate(with_scores(facts, scores)):
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

    write_hardness(out, rows())
    found = summarise(deltas, alphas, differences, flags)
    summary = {"form": form, "aggregate": aggregate, **(made_by or {}), **found}
    text = json.dumps(summary, sort_keys=True, indent=1, allow_nan=False) + "\n"
    (out / SUMMARY).write_text(text, encoding="utf-8")
    return summary
