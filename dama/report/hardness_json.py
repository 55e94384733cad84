"""The hardness of a dataset for scripts: what `dama hardness show --json` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dama.report.view import Example, HardnessView


def hardness_json(
    place: str, digest: str, summary: Mapping[str, Any], seconds: Mapping[str, float], hardness: HardnessView
) -> dict[str, Any]:
    """Return the artifact's summary, what it took, and its hardest and easiest preferences as JSON."""
    return {
        "schema_version": 1,
        "artifact": place,
        "digest": digest,
        "summary": dict(summary),
        "seconds": dict(seconds),
        "split_by_fallback": list(hardness.fell_back),
        "hardest": [_example(example) for example in hardness.hardest],
        "easiest": [_example(example) for example in hardness.easiest],
    }


def _example(example: Example) -> dict[str, Any]:
    return {
        "id": example.id,
        "delta": _known(example.delta),
        "alpha_data": _known(example.alpha_data),
        "flags": list(example.flags),
        **{
            side: [
                {"fact": fact.text, "score": _known(fact.score), "probability": _known(fact.probability)}
                for fact in facts
            ]
            for side, facts in (("chosen", example.chosen), ("rejected", example.rejected))
        },
    }


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
