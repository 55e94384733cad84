"""Artifacts of stage alpha as a run leaves them in its store, small enough to know by heart."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from dama.hardness.cache import write_hardness
from dama.storage.base import Store
from dama.storage.commit import Commit, write_artifact

HOSTILE = "<script>alert(1)</script> \x1b[2J[red]gone[/]"
PREFIX = "artifacts/alpha/" + "a" * 32


def rows() -> list[dict[str, Any]]:
    """Return twelve preferences, p00 (δ = −0.9) the hardest and p11 (δ = 0.75) the easiest."""
    return [
        {
            "id": f"p{n:02d}",
            "delta": -0.9 + 0.15 * n,
            "alpha_data": 0.5 + n / 11,
            "flags": ["chosen:fallback"] if n == 3 else [],
            "chosen_facts": [HOSTILE if n == 0 else f"fact {n}"],
            "rejected_facts": ["x", "y"],
            "chosen_scores": [20.0 + n],
            "rejected_scores": [24.0, 25.0],
            "chosen_probabilities": [0.5],
            "rejected_probabilities": [0.25, 0.25],
        }
        for n in range(12)
    ]


def summary(**changes: Any) -> dict[str, Any]:
    """Return the summary of the twelve."""
    part = {"mean": 1.0, "std": 0.25, "min": 0.5, "max": 1.5}
    return {
        "form": "probabilities",
        "aggregate": "sum",
        "preferences": 12,
        "facts": {"chosen": 12, "rejected": 24, "total": 36},
        "splitter": {"engine": "rules"},
        "scorer": {"engine": "open_clip", "model": "ViT-B-32", "revision": "ab" * 20},
        "mean_delta": -0.075,
        "delta": part,
        "alpha_data": part,
        "beta_data": {"beta": 0.1, **part},
        **changes,
    }


def write_alpha_artifact(store: Store, prefix: str = PREFIX, **changes: Any) -> Commit:
    """Write the artifact, and beside it what its making took."""
    with tempfile.TemporaryDirectory() as folder:
        out, told = Path(folder), summary(**changes)
        write_hardness(out, rows())
        (out / "summary.json").write_text(json.dumps(told))
        store.put_bytes(f"{prefix}/made.json", b'{"stage": "alpha", "run": "test", "seconds": 1.25}')
        return write_artifact(store, prefix, out, told)


def write_records(store: Store, run: str, alpha: str = PREFIX) -> None:
    """Record that a run has the artifact, and facts that took a minute."""
    facts = "artifacts/facts/" + "f" * 32
    store.put_bytes(f"{facts}/made.json", b'{"stage": "facts", "seconds": 61.0}')
    for stage, prefix in (("facts", facts), ("alpha", alpha)):
        store.put_bytes(f"runs/{run}/stages/{stage}.json", json.dumps({"artifact": prefix}).encode())
