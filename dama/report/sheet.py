"""hardness.parquet -> HardnessView, with a contact sheet of its hardest and easiest preferences."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dama.report.flags import FALLBACK
from dama.report.runfile import without_places
from dama.report.view import Example, Fact, HardnessView

_SHOWN, _THUMBNAIL = 5, 168
"""Preferences at each end, longer side of a thumbnail in pixels."""


def load_hardness(
    alpha: Path, data: Path | None, aggregate: str, form: str, summary: Mapping[str, Any] | None = None
) -> HardnessView:
    """Read what stage alpha wrote; pictures and prompts come from the preference table in `data`, if any.

    `summary` is the artifact's own (its commit's meta), from which splitter and scorer are taken.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(alpha / "hardness.parquet")
    ids = tuple(str(id_) for id_ in table.column("id").to_pylist())
    delta = table.column("delta").to_numpy(zero_copy_only=False).astype(np.float64)
    chosen = pc.fill_null(pc.list_value_length(table.column("chosen_facts")), 0)
    rejected = pc.fill_null(pc.list_value_length(table.column("rejected_facts")), 0)
    more = chosen.to_numpy(zero_copy_only=False) - rejected.to_numpy(zero_copy_only=False)
    order = sorted((i for i in range(len(ids)) if np.isfinite(delta[i])), key=lambda i: (delta[i], ids[i]))
    low, high = order[:_SHOWN], order[max(_SHOWN, len(order) - _SHOWN) :][::-1]
    marks = [tuple(row or ()) for row in table.column("flags").to_pylist()]
    preferences = None if data is None else _Preferences(data)
    engines = {name: dict((summary or {}).get(name) or {}) for name in ("splitter", "scorer")}
    return HardnessView(
        ids=ids,
        delta=delta,
        alpha_data=table.column("alpha_data").to_numpy(zero_copy_only=False).astype(np.float64),
        more_facts=more.astype(np.float64),
        flags=dict(sorted(Counter(flag for row in marks for flag in row).items())),
        score_range=_score_range(table),
        hardest=tuple(_example(table, i, preferences) for i in low),
        easiest=tuple(_example(table, i, preferences) for i in high),
        aggregate=aggregate,
        form=form,
        facts=int(pc.sum(chosen).as_py() or 0) + int(pc.sum(rejected).as_py() or 0),
        fell_back=tuple(id_ for id_, row in zip(ids, marks, strict=True) if _fell_back(row)),
        splitter=without_places(engines["splitter"]),
        scorer=without_places(engines["scorer"]),
    )


def _fell_back(flags: tuple[str, ...]) -> bool:
    return any(flag.rpartition(":")[2] == FALLBACK for flag in flags)


def _score_range(table: Any) -> tuple[float, float]:  # noqa: ANN401 - a pyarrow table
    columns = [table.column(name).combine_chunks() for name in ("chosen_scores", "rejected_scores")]
    scores = np.concatenate([column.flatten().to_numpy(zero_copy_only=False) for column in columns]).astype(
        float
    )
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return (0.0, 1.0)
    low, high = np.percentile(scores, [5, 95])
    return (float(low), float(high))


def _example(table: Any, index: int, preferences: _Preferences | None) -> Example:  # noqa: ANN401
    row = table.slice(index, 1).to_pylist()[0]
    prompt, picture = preferences.shown(str(row["id"])) if preferences is not None else ("", b"")
    return Example(
        id=str(row["id"]),
        delta=float(row["delta"]),
        alpha_data=float(row["alpha_data"]),
        prompt=prompt,
        chosen=_facts(row, "chosen"),
        rejected=_facts(row, "rejected"),
        picture=picture,
        flags=tuple(str(flag) for flag in row["flags"] or ()),
    )


def _facts(row: dict[str, Any], side: str) -> tuple[Fact, ...]:
    facts = list(row[f"{side}_facts"] or ())
    scores = _padded(row[f"{side}_scores"], len(facts))
    probabilities = _padded(row[f"{side}_probabilities"], len(facts))
    return tuple(Fact(str(f), s, p) for f, s, p in zip(facts, scores, probabilities, strict=True))


def _padded(values: list[float | None] | None, length: int) -> list[float]:
    known = [float("nan") if value is None else float(value) for value in values or ()][:length]
    return known + [float("nan")] * (length - len(known))


class _Preferences:
    """Prompts and thumbnails by id."""

    def __init__(self, data: Path) -> None:
        from dama.data.table import PreferenceTable

        self._table = PreferenceTable(data)
        self._images = self._table.images()
        self._places = {id_: place for place, id_ in enumerate(self._table.ids())}

    def shown(self, id_: str) -> tuple[str, bytes]:
        """Return the prompt and a thumbnail; empty where the table does not hold the preference."""
        if id_ not in self._places:
            return "", b""
        preference = self._table[self._places[id_]]
        prompt = " ".join(preference.prompt.split())
        return (prompt if len(prompt) <= 240 else prompt[:239] + "…"), thumbnail(
            self._images.open(preference.image)
        )


def thumbnail(image: Any) -> bytes:  # noqa: ANN401 - a PIL image, which must not be imported here
    """Return a small JPEG; small drawings are enlarged by whole factors, so that their pixels stay square."""
    from PIL import Image

    small = image.convert("RGB")
    factor = (2 * _THUMBNAIL) // max(small.size)
    if factor >= 2:
        small = small.resize((small.width * factor, small.height * factor), Image.Resampling.NEAREST)
    else:
        small.thumbnail((2 * _THUMBNAIL, 2 * _THUMBNAIL))
    encoded = io.BytesIO()
    small.save(encoded, "JPEG", quality=82, subsampling=0)
    return encoded.getvalue()
