"""RLAIF-V's columns: image (struct of bytes and path), question, chosen, rejected."""

from __future__ import annotations

from dama.data.row import Draft, Row, required

COLUMNS = ("image", "question", "chosen", "rejected")
OPTIONAL = ("idx", "origin_dataset", "ds_name")


def draft(row: Row) -> Draft:
    """Return the preference of one row; RowFault when a field is absent.

    `idx` is not unique in the published dataset, so the row's number names it and `idx` stands behind.
    """
    values = row.values
    idx = values.get("idx")
    return Draft(
        image=required(values, "image"),
        prompt=required(values, "question"),
        chosen=required(values, "chosen"),
        rejected=required(values, "rejected"),
        suffix=f"-{idx}" if isinstance(idx, int | str) else "",
        source=values.get("origin_dataset") or values.get("ds_name") or "",
    )
