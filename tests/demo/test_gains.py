"""The demo at full size: alignment helps, whatever the seed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from dama.demo.run import run_demo

SEEDS = range(int(os.environ.get("DAMA_DEMO_SEEDS", "3")))
"""Each takes four minutes; who has not that long says how many."""


def figures(folder: Path, method: str) -> dict[str, dict[str, Any]]:
    summary = json.loads((folder / "runs" / f"demo-{method}" / "summary.json").read_text())
    return {result["measure"]: result for result in summary["results"]}


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_dpo_and_dama_hallucinate_less_and_cover_as_much(tmp_path: Path, seed: int) -> None:
    run_demo(tmp_path, seed)
    for method in ("dpo", "dama"):
        found = figures(tmp_path, method)
        assert found["response"]["after"] >= found["response"]["before"] + 10
        assert found["coverage"]["after"] >= found["coverage"]["before"] - 3
