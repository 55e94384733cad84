"""JSON as Go's encoder writes it, so that a chart makes the same text, and the same hash, as we do.

Keys sorted, two spaces, numbers without needless digits, `<`, `>` and `&` escaped: what `toPrettyJson` gives.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_SMALLEST, _LARGEST = 1e-6, 1e21


def canonical(value: Any, indent: str = "") -> str:  # noqa: ANN401 - a JSON tree
    """Return `value` as text; ValueError for a number that JSON does not have."""
    deeper = indent + "  "
    if isinstance(value, dict):
        if not value:
            return "{}"
        lines = [f"{deeper}{_text(str(key))}: {canonical(value[key], deeper)}" for key in sorted(value)]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list | tuple):
        if not value:
            return "[]"
        return "[\n" + ",\n".join(f"{deeper}{canonical(item, deeper)}" for item in value) + f"\n{indent}]"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value, allow_nan=False)


def _text(value: str) -> str:
    text = json.dumps(value, ensure_ascii=False)
    for character, escape in _ESCAPED.items():
        text = text.replace(character, escape)
    return text


def _number(value: float) -> str:
    shortest = json.dumps(value, allow_nan=False)
    if value == 0:
        return "-0" if shortest.startswith("-") else "0"
    if _SMALLEST <= abs(value) < _LARGEST:
        text = format(Decimal(shortest), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    sign, digits, exponent = Decimal(shortest).normalize().as_tuple()
    shown = "".join(str(digit) for digit in digits)
    power = int(exponent) + len(shown) - 1
    point = f".{shown[1:]}" if len(shown) > 1 else ""
    return f"{'-' if sign else ''}{shown[0]}{point}e{'+' if power > 0 else '-'}{abs(power):02d}".replace(
        "e-0", "e-"
    )
