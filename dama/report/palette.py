"""The report's colours: one accent a method, each with a twin for dark pages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LIGHT: Mapping[str, str] = MappingProxyType(
    {
        "ink": "#1d1f24",
        "muted": "#666a73",
        "hair": "#e4e2dc",
        "card": "#ffffff",
        "paper": "#f7f6f2",
        "sunk": "#f1efe9",
        "good": "#1f7a4d",
        "bad": "#b3372f",
        "warn": "#8a5a00",
        "warn-paper": "#fdf3dc",
        "dpo": "#4268a8",
        "d2po": "#11806f",
        "mdpo": "#a8690d",
        "dama": "#a8325a",
        "rejected": "#7b7f88",
    }
)
"""Name -> colour on a light page; the figures' own colours, and the PNGs'."""

DARK: Mapping[str, str] = MappingProxyType(
    {
        "ink": "#e8e7e3",
        "muted": "#a0a3ad",
        "hair": "#363942",
        "card": "#1e2026",
        "paper": "#15161a",
        "sunk": "#25272e",
        "good": "#6fcf9c",
        "bad": "#f08b82",
        "warn": "#e9bd62",
        "warn-paper": "#2e2718",
        "dpo": "#8db1ee",
        "d2po": "#58c9b5",
        "mdpo": "#e5b059",
        "dama": "#f184a8",
        "rejected": "#9fa3ad",
    }
)
"""The same names on a dark page."""


def accent(method: str) -> str:
    """Return the name of a method's colour; `ink` for a method without one."""
    return method if method in LIGHT else "ink"


def css_variables(colours: Mapping[str, str]) -> str:
    """Return the colours as CSS custom properties."""
    return " ".join(f"--{name}: {value};" for name, value in colours.items())
