"""Folders and metas of a run's artifacts -> RunView."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dama.errors import DataError
from dama.report.describe import described_data, described_method, described_model, versions
from dama.report.panels import Floats
from dama.report.results import result_from
from dama.report.runfile import shown
from dama.report.sheet import load_hardness
from dama.report.view import (
    EASIEST,
    HARDEST,
    MIDDLE,
    DataCounts,
    Gaps,
    HardnessView,
    RunView,
    StageTime,
)
from dama.spec.hardness import HardnessSpec
from dama.spec.method import Dama, Mdpo, uses_alpha_data
from dama.spec.run import RunSpec


@dataclass(frozen=True)
class Sources:
    """Where a run's artifacts lie, by stage name; a stage that the run has not is absent."""

    folders: Mapping[str, Path]
    metas: Mapping[str, Mapping[str, Any]]
    digests: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[StageTime, ...] = ()


def load_run(spec: RunSpec, sources: Sources) -> RunView:
    """Read one run; `data` and `train` must be among the sources. DataError on metrics that are none."""
    train, data = sources.folders["train"], sources.folders["data"]
    hardness = None
    if "alpha" in sources.folders:
        part = spec.hardness or HardnessSpec()
        summary = sources.metas.get("alpha")
        hardness = load_hardness(sources.folders["alpha"], data, part.aggregate, part.form, summary)
    method = spec.method
    return RunView(
        run=spec.name,
        method=method.name,
        method_note=described_method(spec),
        model=described_model(spec),
        data=described_data(spec),
        beta=method.beta,
        batch=spec.train.batch,
        keep=method.keep if isinstance(method, Mdpo | Dama) else None,
        curves=read_metrics(train / "metrics.jsonl"),
        gaps=read_gaps(train / "gaps.parquet", hardness),
        hardness=hardness,
        counts=_counts(sources.metas["data"], sources.metas["train"]),
        before=_results(sources.metas.get("baseline")),
        after=_results(sources.metas.get("evaluate")),
        stages=sources.stages,
        artifacts=dict(sources.digests),
        versions=versions(),
        run_file=shown(spec),
        uses_alpha_data=uses_alpha_data(method),
        uses_alpha_model=isinstance(method, Mdpo | Dama),
    )


def read_metrics(path: Path) -> dict[str, Floats]:
    """Return the numbers of a JSONL file by column, NaN for null or absent ones, in order of `step`."""
    rows: list[dict[str, Any]] = []
    if path.is_file():
        for index, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise _no_metrics(path, index) from error
            if not isinstance(row, dict) or "step" not in row:
                raise _no_metrics(path, index)
            rows.append(row)
    rows.sort(key=lambda row: float(row["step"]))
    names = dict.fromkeys(["step", *(name for row in rows for name in row)])
    return {name: np.array([_float(row.get(name)) for row in rows], dtype=np.float64) for name in names}


def _no_metrics(path: Path, line: int) -> DataError:
    return DataError(
        f"{path}, line {line} is no record of a step",
        wanted="a JSON object with a key 'step'",
        do="delete the artifact of stage train and run it again",
    )


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def read_gaps(path: Path, hardness: HardnessView | None) -> Gaps | None:
    """Return the gaps of every step with each preference's group by δ; None where none were written."""
    if not path.is_file():
        return None
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["step", "id", "gap", "kept", "beta"])
    if table.num_rows == 0:
        return None
    groups = groups_of(hardness) if hardness is not None else {}
    ids = table.column("id").to_pylist()
    beta = table.column("beta").to_numpy(zero_copy_only=False)
    return Gaps(
        step=table.column("step").to_numpy(zero_copy_only=False).astype(np.float64),
        gap=table.column("gap").to_numpy(zero_copy_only=False).astype(np.float64),
        group=np.array([groups.get(str(id_), -1) for id_ in ids], dtype=np.float64),
        beta=np.array([_float(b) for b in beta.tolist()], dtype=np.float64),
        kept=np.array([_float(k) for k in table.column("kept").to_pylist()], dtype=np.float64),
    )


def groups_of(hardness: HardnessView) -> dict[str, int]:
    """Return each preference's group: a quarter with the largest δ, a quarter with the smallest, the rest."""
    known = [i for i in range(len(hardness.ids)) if np.isfinite(hardness.delta[i])]
    order = sorted(known, key=lambda i: (-float(hardness.delta[i]), hardness.ids[i]))
    quarter = len(order) // 4
    groups = {}
    for place, index in enumerate(order):
        group = EASIEST if place < quarter else HARDEST if place >= len(order) - quarter else MIDDLE
        groups[hardness.ids[index]] = group
    return groups


def _counts(meta: Mapping[str, Any], train: Mapping[str, Any]) -> DataCounts:
    reasons = {str(reason): int(count) for reason, count in dict(meta.get("reasons") or {}).items()}
    preferences, quarantined = int(meta.get("preferences", 0)), int(meta.get("quarantined", 0))
    return DataCounts(
        rows=int(meta.get("rows", preferences + quarantined)),
        preferences=preferences,
        quarantined=quarantined,
        images=int(meta.get("images", 0)),
        reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        over_long=int(train.get("over_long", 0)),
    )


def _results(meta: Mapping[str, Any] | None) -> tuple[Any, ...]:
    return tuple(result_from(raw) for raw in (meta or {}).get("results", ()))
