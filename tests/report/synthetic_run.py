"""A run that never happened: artifacts in the formats of the stages, made with numpy and Pillow."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from dama.data.ingest import ImageWriter
from dama.data.parquet import write_rows
from dama.data.table import IMAGE_SCHEMA, IMAGES, PREFERENCE_SCHEMA, PREFERENCES
from dama.hardness.cache import write_hardness
from dama.report.loading import Sources, load_run
from dama.report.view import RunView, StageTime
from dama.spec.load import parse
from dama.spec.run import RunSpec

COLOURS = ("red", "orange", "green", "blue", "purple", "black")
SHAPES = ("circle", "square", "cross")
BATCH = 16


def spec_of(method: Any = "dama", **changes: Any) -> RunSpec:
    """Return a run file of the tiny model, with whole parts replaced by `changes`."""
    text = json.dumps({"name": changes.pop("name", method), "model": "tiny", "method": method, **changes})
    return parse(text, folder=Path("/somewhere/private"))


def sentence(rng: np.random.Generator) -> str:
    size, row = rng.choice(["big", "small"]), rng.choice(["top", "middle", "bottom"])
    return f"A {size} {rng.choice(COLOURS)} {rng.choice(SHAPES)} at the {row} left."


def picture(rng: np.random.Generator) -> bytes:
    image = Image.new("RGB", (72, 72), "#ece8df")
    draw = ImageDraw.Draw(image)
    for x in rng.integers(0, 52, size=3):
        y = int(rng.integers(0, 52))
        draw.ellipse((int(x), y, int(x) + 18, y + 18), fill=str(rng.choice(COLOURS)))
    encoded = io.BytesIO()
    image.save(encoded, "PNG")
    return encoded.getvalue()


def write_data(
    folder: Path, preferences: int = 60, seed: int = 0, prompt: str = "Describe the image."
) -> dict[str, Any]:
    """Write a preference table with one PNG a preference; return the commit's meta."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, images, rows = np.random.default_rng(seed), ImageWriter(folder), []
    for index in range(preferences):
        encoded = picture(rng)
        sha = hashlib.sha256(encoded).hexdigest()
        images.add(sha, encoded)
        rows.append(
            {
                "id": f"p{index:03d}",
                "image": sha,
                "prompt": prompt,
                "chosen": sentence(rng),
                "rejected": sentence(rng),
                "source": "synthetic",
            }
        )
    images.close()
    write_rows(folder / PREFERENCES, PREFERENCE_SCHEMA, rows)
    write_rows(folder / IMAGES, IMAGE_SCHEMA, images.rows())
    return {
        "rows": preferences + 4,
        "preferences": preferences,
        "quarantined": 4,
        "images": len(images),
        "reasons": {"undecodable image": 3, "chosen equals rejected": 1},
    }


def write_alpha(folder: Path, preferences: int = 60, seed: int = 1, *, by_length: bool = False) -> None:
    """Write hardness.parquet; `by_length` makes δ follow the number of facts."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, rows = np.random.default_rng(seed), []
    for index in range(preferences):
        sides = {side: [sentence(rng) for _ in range(rng.integers(1, 5))] for side in ("chosen", "rejected")}
        scores = {side: rng.normal(24, 4, len(facts)) for side, facts in sides.items()}
        more = len(sides["chosen"]) - len(sides["rejected"])
        delta = float(
            np.tanh(0.5 * more + 0.1 * rng.normal()) if by_length else np.tanh(rng.normal(0.1, 0.7))
        )
        whole = sum(float(np.exp(values - 24).sum()) for values in scores.values())
        rows.append(
            {
                "id": f"p{index:03d}",
                "delta": delta,
                "alpha_data": 2 / (1 + np.exp(-delta)) / 1.02,
                "flags": ["chosen:fallback"] if index % 20 == 0 else [],
                **{f"{side}_facts": facts for side, facts in sides.items()},
                **{f"{side}_scores": scores[side].tolist() for side in sides},
                **{f"{side}_probabilities": (np.exp(scores[side] - 24) / whole).tolist() for side in sides},
            }
        )
    write_hardness(folder, rows)


def write_train(folder: Path, spec: RunSpec, steps: int = 200, preferences: int = 60, seed: int = 2) -> None:
    """Write metrics.jsonl and gaps.parquet of a training that goes as one hopes."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, name = np.random.default_rng(seed), spec.method.name
    data_aware, model_aware = name in ("d2po", "dama"), name in ("mdpo", "dama")
    metrics: list[dict[str, Any]] = []
    gaps: dict[str, list[Any]] = {"step": [], "id": [], "gap": [], "kept": [], "beta": []}
    running = 0.0
    for step in range(1, steps + 1):
        way = step / max(steps, 100)
        chosen, rejected = rng.normal(0.3 * way, 0.06), rng.normal(-0.9 * way, 0.1)
        batch_mean = chosen - rejected
        alpha = (1 + np.exp(-running)) / (1 + np.exp(-batch_mean))
        beta = 0.1 * (alpha if model_aware else 1.0)
        spread = 0.03 if data_aware else 0.0
        metrics.append(
            {
                "step": step,
                "epoch": step * BATCH / preferences,
                "learning_rate": 4e-5 * (1 - way),
                "grad_norm": float(rng.gamma(4, 0.5)),
                "loss": float(np.log1p(np.exp(-batch_mean)) + rng.normal(0, 0.02)),
                "reward_chosen": float(chosen),
                "reward_rejected": float(rejected),
                "reward_margin": float(batch_mean),
                "kept": 12 if model_aware else BATCH,
                "batch": BATCH,
                "accuracy": float(rng.binomial(BATCH, min(0.93, 0.5 + 0.8 * way)) / BATCH),
                "cut_tokens": 0,
                "alpha_data_mean": 1.0 if data_aware else None,
                "alpha_model": float(alpha) if model_aware else None,
                "running_mean": running if model_aware else None,
                "batch_mean": float(batch_mean) if model_aware else None,
                "beta_model": float(0.1 * alpha) if model_aware else None,
                "beta_combined_min": float(beta - spread),
                "beta_combined_mean": float(beta),
                "beta_combined_max": float(beta + spread),
            }
        )
        running = 0.9 * running + 0.1 * batch_mean
        for index in rng.choice(preferences, size=min(BATCH, preferences), replace=False):
            ease = 1 - 2 * index / preferences
            gaps["step"].append(step)
            gaps["id"].append(f"p{index:03d}")
            gaps["gap"].append(float(12 * way * (1 + 0.6 * ease) + rng.normal(0, 1.5)))
            gaps["kept"].append(bool(rng.random() < 0.75))
            gaps["beta"].append(float(beta))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in metrics))
    types = [pa.int32(), pa.string(), pa.float32(), pa.bool_(), pa.float32()]
    pq.write_table(
        pa.table({k: pa.array(v, t) for (k, v), t in zip(gaps.items(), types, strict=True)}),
        folder / "gaps.parquet",
    )


def results_meta(response: float, mention: float, coverage: float) -> dict[str, Any]:
    values = {"response": response, "mention": mention, "coverage": coverage}
    return {
        "results": [
            {
                "benchmark": "miniature",
                "version": "1",
                "answers_digest": "a" * 64,
                "data_digest": "b" * 64,
                "measures": [
                    {"name": n, "value": v, "unit": "%", "better": "higher", "n": 1000}
                    for n, v in values.items()
                ],
                "details": {},
            }
        ]
    }


TIMES = (
    StageTime("data", "read", 1.84, True, "dpo"),
    StageTime("alpha", "hardness", 6.3, True, "dpo"),
    StageTime("baseline", "measure", 14.1, True, "dpo"),
    StageTime("train", "train", 52.7, False, "dama", {"preferences_per_second": "60.7"}),
    StageTime("evaluate", "measure", 13.9, False, "dama"),
)


def make_run(
    folder: Path,
    method: str = "dama",
    *,
    steps: int = 200,
    measured: bool = True,
    by_length: bool = False,
    after: tuple[float, float, float] = (80.4, 93.4, 92.3),
    stages: tuple[StageTime, ...] = TIMES,
    **changes: Any,
) -> RunView:
    """Write a synthetic run into `folder` and read it back as the report does."""
    spec = spec_of(method, **changes)
    metas: dict[str, dict[str, Any]] = {"data": write_data(folder / "data"), "train": {"steps": steps}}
    write_train(folder / "train", spec, steps, seed=len(method) + ord(method[1]))
    if spec.hardness is not None:
        write_alpha(folder / "alpha", by_length=by_length)
        metas["alpha"] = {}
    if measured:
        metas |= {"baseline": results_meta(60.2, 85.9, 89.1), "evaluate": results_meta(*after)}
    folders = {name: folder / name for name in metas}
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in metas}
    return load_run(spec, Sources(folders, metas, digests, stages))
